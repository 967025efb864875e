import CommonAuth
import CommonServer
import NIOCore

/// Decides what becomes of a valid WebSocket handshake.
protocol UpgradePolicy: Sendable {
    /// Replaces the handshake handler by the one that `makeHandler` returns.
    /// - Parameter makeHandler: gets the response to the handshake, which is the first that its handler has to send, and the
    ///   socket's descriptor, if it is known.
    typealias Upgrade = (_ makeHandler: (_ opening: ByteBuffer, _ descriptor: CInt?) -> any ChannelHandler) -> Void

    /// Makes the response to a request; `nil` for a request that is answered over HTTP.
    func response(to head: RequestHead) -> HandshakeResponse?

    /// Decides about a client and calls `upgrade` once, on the socket's event loop, now or later. A client that is refused is
    /// upgraded, too, and its handler closes the socket.
    func decide(_ response: HandshakeResponse, context: ChannelHandlerContext, upgrade: @escaping Upgrade)
}

/// The policy of `/ws/chat` and `/ws/user`. A client that is refused gets a socket that is closed with a code at once: a
/// browser does not show its page the status of an HTTP response to a handshake.
struct ChatUpgradePolicy: UpgradePolicy {
    static let paths = [ConnectRequest.path, UserConnectRequest.path]

    let services: WebSocketServices

    func response(to head: RequestHead) -> HandshakeResponse? {
        HandshakeResponse(head, paths: Self.paths, allowedOrigins: services.allowedOrigins)
    }

    func decide(_ response: HandshakeResponse, context: ChannelHandlerContext, upgrade: @escaping Upgrade) {
        services.admit(response.client, on: context.channel) { result in
            upgrade { ChatWebSocketHandler(opening: $0, descriptor: $1, admission: result, services: services) }
        }
    }
}

/// What a socket's session begins with.
enum SocketAdmission: Sendable {
    case room(AuthorizedAdmission)
    case user(UserAdmission)

    /// `nil` for a client of a `trusted` server that named no user.
    var user: AuthenticatedUser? {
        switch self {
        case .room(let admission): admission.stage.user
        case .user(let admission): admission.user
        }
    }
}
