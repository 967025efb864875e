import CommonServer
import CommonUtil
import Logging
import NIOCore

/// What a socket needs of the rest of the server.
struct WebSocketServices: Sendable {
    let admission: AdmissionService
    let commands: SessionCommands
    let sessions: ChatRoomSessionManager
    let metrics: DeliveryMetrics
    let allowedOrigins: AllowedOrigins
    let trustedProxies: [AddressRange]
    let authMode: AuthMode
    let frameLimit: FrameLimit
    let openSockets: OpenSockets
    /// Whether this server is stopping and takes no new sockets.
    let isDraining: @Sendable () -> Bool
    let logger: Logger

    /// 80 random bits, as text.
    func makeSessionID() -> String { String(RoomID.random().rawValue.prefix(16)) }
}

/// How often one socket may send a frame.
struct FrameLimit: Sendable {
    let rate: Rate
    let refusals = RateLimitName.frames.refusals
}
