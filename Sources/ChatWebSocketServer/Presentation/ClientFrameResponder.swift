import ChatEvents
import CommonAuth
import CommonUtil
import NIOCore

/// Carries out what a client asks for over its socket. Made with the first such frame, since most sockets only listen.
/// Confined to the socket's event loop.
///
/// Of what has to wait for the database or for keys only one piece is under way, and the newest waits: a client cannot
/// pile up work.
final class ClientFrameResponder {
    private let session: ChatSession
    private let services: WebSocketServices
    private let eventLoop: any EventLoop
    private var reading = LatestFirst<Seq>()
    private var renewal = LatestFirst<String>()
    /// Whether the session said last that its user types.
    private var isTyping = false

    init(session: ChatSession, services: WebSocketServices, eventLoop: any EventLoop) {
        self.session = session
        self.services = services
        self.eventLoop = eventLoop
    }

    /// - Throws: what the `error` event tells the client.
    func take(_ frame: ClientFrame) throws(FrameError) {
        switch frame {
        case .ping:
            session.transport.send(.pong)
        case .typing(let isTyping):
            try services.commands.tellTyping(
                isTyping, in: session.roomID, by: session.userID, sessionID: session.id)
            self.isTyping = isTyping
        case .read(let seq):
            if let seq = reading.offer(seq) { markRead(seq) }
        case .auth(let token):
            if let token = renewal.offer(token) { renew(token) }
        }
    }

    /// Takes back what the session said and can no longer take back itself.
    func sessionEnded() {
        guard isTyping else { return }
        isTyping = false
        try? services.commands.tellTyping(false, in: session.roomID, by: session.userID, sessionID: session.id)
    }

    private func markRead(_ seq: Seq) {
        let commands = services.commands
        let (roomID, userID) = (session.roomID, session.userID)
        run {
            try await commands.markRead(roomID, by: userID, upTo: seq)
        } then: { _, _ in
        } finally: { responder in
            if let next = responder.reading.finish() { responder.markRead(next) }
        }
    }

    private func renew(_ token: String) {
        let commands = services.commands
        let userID = session.userID
        run {
            try await commands.renew(userID, token: token)
        } then: { responder, user in
            // Its sign-in may have ended since it was checked, when this session was another's.
            guard !commands.tokens.isRevoked(user), let token = TokenLifetime(user, now: .now) else {
                return responder.session.transport.send(
                    .error(FrameError(.invalidToken, ErrorCode.invalidToken.title)))
            }
            responder.services.sessions.renew(responder.session, token: token)
        } finally: { responder in
            if let next = responder.renewal.finish() { responder.renew(next) }
        }
    }

    /// Does what has to wait elsewhere, and what follows on the event loop. A failure is told to the client.
    private func run<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value,
        then: @escaping (ClientFrameResponder, Value) -> Void,
        finally: @escaping (ClientFrameResponder) -> Void
    ) {
        eventLoop.makeFutureWithTask(work).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let value): then(self, value)
            case .failure(let error as FrameError): self.session.transport.send(.error(error))
            case .failure: self.session.transport.send(.error(FrameError(.unavailable, "try again later")))
            }
            finally(self)
        }
    }
}

/// One piece of work at a time, and of what is asked for meanwhile only the newest.
private struct LatestFirst<Work> {
    private var isBusy = false
    private var waiting: Work?

    /// - Returns: what to begin now, if anything.
    mutating func offer(_ work: Work) -> Work? {
        guard isBusy else {
            isBusy = true
            return work
        }
        waiting = work
        return nil
    }

    /// - Returns: what to begin next, if anything.
    mutating func finish() -> Work? {
        let next = waiting.take()
        isBusy = next != nil
        return next
    }
}
