import CommonUtil
import Logging
import NIOCore

/// What a socket needs of the rest of the server.
struct WebSocketServices: Sendable {
    let admission: AdmissionService
    let sessions: ChatRoomSessionManager
    let metrics: DeliveryMetrics
    let allowedOrigins: AllowedOrigins
    let authMode: AuthMode
    let drain: DrainPlan
    /// Whether this server is stopping and takes no new sockets.
    let isDraining: @Sendable () -> Bool
    let logger: Logger

    /// 80 random bits, as text.
    func makeSessionID() -> String { String(RoomID.random().rawValue.prefix(16)) }
}

/// How a stopping server lets its sockets go: in a stream, so that the others are not all asked at once.
struct DrainPlan: Sendable {
    /// Sockets that one event loop closes in a second, as long as that fits into ``longest``.
    static let closesPerSecond = 200

    let longest: TimeAmount
    /// Clients come back within so many milliseconds after their close.
    let reconnectSpreadMs: Int64 = 5_000

    /// A random moment within the time that so many sockets take.
    func delay(ofSessions count: Int) -> TimeAmount {
        let needed = TimeAmount.milliseconds(Int64(count) * 1_000 / Int64(Self.closesPerSecond))
        return .nanoseconds(.random(in: 0...min(needed, longest).nanoseconds))
    }
}
