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

/// The policy of `/ws/chat`. A client that is refused gets a socket that is closed with a code at once: a browser does not
/// show its page the status of an HTTP response to a handshake.
struct ChatUpgradePolicy: UpgradePolicy {
    let services: WebSocketServices

    func response(to head: RequestHead) -> HandshakeResponse? {
        HandshakeResponse(head, path: ConnectRequest.path, allowedOrigins: services.allowedOrigins)
    }

    func decide(_ response: HandshakeResponse, context: ChannelHandlerContext, upgrade: @escaping Upgrade) {
        let upgrade = { (result: AdmissionResult) in
            let result = current(result)
            upgrade { ChatWebSocketHandler(opening: $0, admission: result, services: services) }
        }
        do throws(CloseReason) {
            let admission = try admission(response, context)
            let upgrade = NIOLoopBound(upgrade, eventLoop: context.eventLoop)
            services.admission.admit(admission, on: context.eventLoop) { upgrade.value($0) }
        } catch {
            upgrade(.failure(error))
        }
    }

    private func admission(
        _ response: HandshakeResponse, _ context: ChannelHandlerContext
    ) throws(CloseReason) -> RequestedAdmission {
        guard !services.isDraining() else { throw .restart }
        guard services.isServing() else { throw CloseReason(.tryAgainLater, "this server is starting") }
        guard let shard = services.sessions.shardIndex(of: context.eventLoop) else {
            throw CloseReason(.tryAgainLater, "no place for this socket")
        }
        return Admission(
            request: try ConnectRequest(query: response.query, authMode: services.authMode), token: response.token,
            address: services.admission.limits.countsAddresses ? countedAddress(response, context) : nil, shard: shard)
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
    private func current(
        _ result: AdmissionResult
    ) -> AdmissionResult {
        if services.isDraining() { return .failure(.restart) }
        guard case .success(let admission) = result, let user = admission.stage.user,
            services.admission.tokens.isRevoked(user)
        else { return result }
        return .failure(.signInEnded)
    }
}

extension CloseReason {
    fileprivate static let restart = CloseReason(.restart, "this server is stopping")
}
