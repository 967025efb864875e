import CommonServer
import CommonUtil
import Logging
import NIOCore

/// The services that sockets use. A class, so that a socket holds one reference.
final class WebSocketServices: Sendable {
    let admission: AdmissionService
    let commands: SessionCommands
    let sessions: ChatRoomSessionManager
    let userSessions: UserSessionService
    let metrics: DeliveryMetrics
    let allowedOrigins: AllowedOrigins
    let trustedProxies: [AddressRange]
    let authMode: AuthMode
    let frameLimit: FrameLimit
    let openSockets: OpenSockets
    /// Whether this server is stopping and takes no new sockets.
    let isDraining: @Sendable () -> Bool
    /// Whether the server has started. Before that the database may lack a migration, and the list of revocations is empty.
    let isServing: @Sendable () -> Bool
    let logger: Logger

    init(
        admission: AdmissionService, commands: SessionCommands, sessions: ChatRoomSessionManager,
        userSessions: UserSessionService, metrics: DeliveryMetrics, allowedOrigins: AllowedOrigins,
        trustedProxies: [AddressRange], authMode: AuthMode,
        frameLimit: FrameLimit, openSockets: OpenSockets, isDraining: @escaping @Sendable () -> Bool,
        isServing: @escaping @Sendable () -> Bool, logger: Logger
    ) {
        self.admission = admission
        self.commands = commands
        self.sessions = sessions
        self.userSessions = userSessions
        self.metrics = metrics
        self.allowedOrigins = allowedOrigins
        self.trustedProxies = trustedProxies
        self.authMode = authMode
        self.frameLimit = frameLimit
        self.openSockets = openSockets
        self.isDraining = isDraining
        self.isServing = isServing
        self.logger = logger
    }
}

/// Rate of frames that one socket may send.
struct FrameLimit: Sendable {
    let rate: Rate
    let refusals = RateLimitName.frames.refusals
}
