import CommonAuth
import CommonServer
import CommonUtil
import NIOCore

/// Decides what becomes of a valid WebSocket handshake.
protocol UpgradePolicy: Sendable {
    /// Replaces the handshake handler by the one that `makeHandler` returns.
    /// - Parameter makeHandler: gets the response to the handshake, which is the first that its handler has to send.
    typealias Upgrade = (_ makeHandler: (_ opening: ByteBuffer) -> any ChannelHandler) -> Void

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
        let upgrade = { (result: Result<SocketAdmission, CloseReason>) in
            let result = current(result)
            upgrade { ChatWebSocketHandler(opening: $0, admission: result, services: services) }
        }
        let bound = NIOLoopBound(upgrade, eventLoop: context.eventLoop)
        do throws(CloseReason) {
            let shard = try shard(context)
            let address = services.admission.limits.countsAddresses ? countedAddress(response, context) : nil
            if response.path == UserConnectRequest.path {
                let request = try UserConnectRequest(query: response.query, authMode: services.authMode)
                let claim = AdmissionService.Claim(
                    token: response.token, userID: request.claimedUserID, address: address)
                services.admission.authenticate(claim, on: context.eventLoop) { result in
                    bound.value(result.flatMap { Self.admission(request, $0, shard) })
                }
            } else {
                let admission = RequestedAdmission(
                    request: try ConnectRequest(query: response.query, authMode: services.authMode),
                    token: response.token, address: address, shard: shard)
                services.admission.admit(admission, on: context.eventLoop) { bound.value($0.map { .room($0) }) }
            }
        } catch {
            upgrade(.failure(error))
        }
    }

    private static func admission(
        _ request: UserConnectRequest, _ found: (user: AuthenticatedUser?, slot: Lease), _ shard: Int
    ) -> Result<SocketAdmission, CloseReason> {
        guard let user = found.user else { return .failure(CloseReason(.invalidData, "userId is required")) }
        return .success(
            .user(UserAdmission(user: user, slot: found.slot, shard: shard, startsNow: request.startsNow)))
    }

    /// The index of the socket's event loop.
    private func shard(_ context: ChannelHandlerContext) throws(CloseReason) -> Int {
        guard !services.isDraining() else { throw .restart }
        guard services.isServing() else { throw CloseReason(.tryAgainLater, "this server is starting") }
        guard let shard = services.sessions.shardIndex(of: context.eventLoop) else {
            throw CloseReason(.tryAgainLater, "no place for this socket")
        }
        return shard
    }

    private func countedAddress(_ response: HandshakeResponse, _ context: ChannelHandlerContext) -> String {
        AddressBlock.of(
            ClientAddress.find(
                forwarded: response.forwarded,
                // Not the context's, which asks the kernel each time.
                peer: context.channel.remoteAddress?.ipAddress ?? "", trustedProxies: services.trustedProxies))
    }

    /// Checks again what may have changed while the admission was under way. Until there is a session, neither the end of a
    /// sign-in nor a drain reaches it.
    private func current(_ result: Result<SocketAdmission, CloseReason>) -> Result<SocketAdmission, CloseReason> {
        if services.isDraining() { return .failure(.restart) }
        guard case .success(let admission) = result, let user = admission.user,
            services.admission.tokens.isRevoked(user)
        else { return result }
        return .failure(.signInEnded)
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

extension CloseReason {
    fileprivate static let restart = CloseReason(.restart, "this server is stopping")
}
