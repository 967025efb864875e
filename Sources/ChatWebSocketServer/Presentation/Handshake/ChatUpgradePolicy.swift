import CommonAuth
import CommonServer
import CommonUtil
import NIOCore

/// The policy of the chat. Who may not come in gets a socket all the same, which is closed with a code at once: a browser
/// tells its page nothing of an HTTP error.
struct ChatUpgradePolicy: UpgradePolicy {
    let services: WebSocketServices

    func answer(to head: RequestHead) -> HandshakeResponse? {
        HandshakeResponse(head, path: ConnectRequest.path, allowedOrigins: services.allowedOrigins)
    }

    func ask(_ answer: HandshakeResponse, from context: ChannelHandlerContext, enter: @escaping Entrance) {
        let enter = { (verdict: AdmissionService.Verdict) in
            // Who was let in while the server began to stop would not be told to go.
            let verdict = services.isDraining() ? .failure(.restart) : current(verdict)
            enter { ChatWebSocketHandler(opening: $0, verdict: verdict, services: services) }
        }
        do throws(CloseReason) {
            let visitor = try visitor(answer, context)
            let entrance = NIOLoopBound(enter, eventLoop: context.eventLoop)
            services.admission.admit(visitor, on: context.eventLoop) { entrance.value($0) }
        } catch {
            enter(.failure(error))
        }
    }

    /// A sign-in may have ended while its room was looked up, and then there was no session yet that could be closed.
    private func current(_ verdict: AdmissionService.Verdict) -> AdmissionService.Verdict {
        guard case .success(let admission) = verdict, let user = admission.user,
            services.admission.tokens.isRevoked(user)
        else { return verdict }
        return .failure(.signInEnded)
    }

    private func visitor(
        _ answer: HandshakeResponse, _ context: ChannelHandlerContext
    ) throws(CloseReason) -> AdmissionService.Visitor {
        guard !services.isDraining() else { throw .restart }
        guard let shard = services.sessions.shardIndex(of: context.eventLoop) else {
            throw CloseReason(.tryAgainLater, "no place for this socket")
        }
        return AdmissionService.Visitor(
            request: try ConnectRequest(query: answer.query, authMode: services.authMode), token: answer.token,
            // Not the context's, which asks the kernel anew.
            address: AddressBlock.of(
                ClientAddress.find(
                    forwarded: answer.forwarded, peer: context.channel.remoteAddress?.ipAddress ?? "",
                    trustedProxies: services.trustedProxies)),
            shard: shard)
    }
}

extension CloseReason {
    fileprivate static let restart = CloseReason(.restart, "this server is stopping")
}
