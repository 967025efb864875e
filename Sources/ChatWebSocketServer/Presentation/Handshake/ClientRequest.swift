import CommonAuth
import CommonServer
import CommonUtil
import HummingbirdCore
import NIOCore

/// What a client that wants a session sent in its request, whatever kind of connection it wants.
struct ClientRequest {
    /// Whether the session is one of all rooms of a user, else of one room.
    let isOfUser: Bool
    /// The parameters of the query, decoded.
    var query: [(key: String, value: String)]
    /// The access token, if the client sent one.
    let token: String?
    /// The values of `X-Forwarded-For`.
    let forwarded: [String]

    init(
        isOfUser: Bool = false, query: [(key: String, value: String)], token: String? = nil, forwarded: [String] = []
    ) {
        self.isOfUser = isOfUser
        self.query = query
        self.token = token
        self.forwarded = forwarded
    }

    /// - Parameters:
    ///   - uri: the target of the request.
    ///   - subprotocolToken: the token among the subprotocols of a handshake.
    init(_ head: RequestHead, _ uri: URI, isOfUser: Bool, subprotocolToken: String? = nil) {
        self.isOfUser = isOfUser
        query = uri.queryParameters.map { (key: String($0.key), value: String($0.value)) }
        token = Self.token(head["authorization"], query: query) ?? subprotocolToken
        forwarded = head.values("x-forwarded-for")
    }

    /// `Authorization: Bearer` or, since browsers cannot set it, `access_token` in the query.
    private static func token(_ authorization: String?, query: [(key: String, value: String)]) -> String? {
        if let authorization, let token = try? Authenticator.bearerToken(authorization) {
            return token
        }
        return query.last { $0.key == "access_token" }?.value
    }
}

extension WebSocketServices {
    /// Decides whether a client gets a session. Must be called on the event loop of its connection.
    /// - Parameter completion: called once on that event loop, now or later. The session must begin in the same turn.
    func admit(
        _ client: ClientRequest, on channel: any Channel,
        completion: @escaping (Result<SocketAdmission, CloseReason>) -> Void
    ) {
        let eventLoop = channel.eventLoop
        let bound = NIOLoopBound(completion, eventLoop: eventLoop)
        do throws(CloseReason) {
            let shard = try shard(eventLoop)
            let address = admission.limits.countsAddresses ? countedAddress(client, channel) : nil
            if client.isOfUser {
                let request = try UserConnectRequest(query: client.query, authMode: authMode)
                let claim = AdmissionService.Claim(
                    token: client.token, userID: request.claimedUserID, address: address)
                admission.authenticate(claim, on: eventLoop) { result in
                    bound.value(self.current(result.flatMap { Self.admission(request, $0, shard) }))
                }
            } else {
                let requested = RequestedAdmission(
                    request: try ConnectRequest(query: client.query, authMode: authMode), token: client.token,
                    address: address, shard: shard)
                admission.admit(requested, on: eventLoop) { bound.value(self.current($0.map { .room($0) })) }
            }
        } catch {
            completion(.failure(error))
        }
    }

    private static func admission(
        _ request: UserConnectRequest, _ found: (user: AuthenticatedUser?, slot: Lease), _ shard: Int
    ) -> Result<SocketAdmission, CloseReason> {
        guard let user = found.user else { return .failure(CloseReason(.invalidData, "userId is required")) }
        return .success(
            .user(
                UserAdmission(
                    user: user, slot: found.slot, shard: shard, synchronizesAtOnce: request.synchronizesAtOnce)))
    }

    /// The index of the connection's event loop.
    private func shard(_ eventLoop: any EventLoop) throws(CloseReason) -> Int {
        guard !isDraining() else { throw .restart }
        guard isServing() else { throw CloseReason(.tryAgainLater, "this server is starting") }
        guard let shard = sessions.shardIndex(of: eventLoop) else {
            throw CloseReason(.tryAgainLater, "no place for this socket")
        }
        return shard
    }

    private func countedAddress(_ client: ClientRequest, _ channel: any Channel) -> String {
        AddressBlock.of(
            ClientAddress.find(
                forwarded: client.forwarded,
                // Not that of a handler's context, which asks the kernel each time.
                peer: channel.remoteAddress?.ipAddress ?? "", trustedProxies: trustedProxies))
    }

    /// Checks again what may have changed while the admission was under way. Until there is a session, neither the end of a
    /// sign-in nor a drain reaches it.
    private func current(_ result: Result<SocketAdmission, CloseReason>) -> Result<SocketAdmission, CloseReason> {
        if isDraining() { return .failure(.restart) }
        guard case .success(let admitted) = result, let user = admitted.user, admission.tokens.isRevoked(user) else {
            return result
        }
        return .failure(.signInEnded)
    }
}

extension CloseReason {
    fileprivate static let restart = CloseReason(.restart, "this server is stopping")
}
