import ChatEvents
import CommonAuth
import CommonUtil
import NIOCore

/// Executes the commands of a client. Made with the first one, since most sockets only listen. Confined to the socket's
/// event loop.
///
/// At most one command of a kind waits for the database or for keys; of those that arrive meanwhile the newest is kept. So a
/// client cannot queue work.
final class ClientFrameResponder {
    private let session: ChatSession
    private let roomID: RoomID
    private let services: WebSocketServices
    private let eventLoop: any EventLoop
    private var reading = LatestOnly<Seq>()
    private var renewal = LatestOnly<String>()
    /// Whether the last `typing` of the session was true.
    private var isTyping = false

    init(session: ChatSession, roomID: RoomID, services: WebSocketServices, eventLoop: any EventLoop) {
        self.session = session
        self.roomID = roomID
        self.services = services
        self.eventLoop = eventLoop
    }

    /// Executes a command.
    /// - Throws: the error to send to the client.
    func execute(_ frame: ClientFrame) throws(FrameError) {
        switch frame {
        case .ping:
            session.transport.send(.pong)
        case .typing(let isTyping):
            try services.commands.publishTyping(
                isTyping, in: roomID, by: session.userID, sessionID: session.id)
            self.isTyping = isTyping
        case .read(let seq):
            if let seq = reading.offer(seq) { markRead(seq) }
        case .auth(let token):
            if let token = renewal.offer(token) { renew(token) }
        }
    }

    /// Ends the typing of a session that has ended.
    func sessionEnded() {
        guard isTyping else { return }
        isTyping = false
        try? services.commands.publishTyping(false, in: roomID, by: session.userID, sessionID: session.id)
    }

    private func markRead(_ seq: Seq) {
        let commands = services.commands
        let (roomID, userID) = (roomID, session.userID)
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
            // The sign-in may have ended since the token was verified; this session was not closed with it then.
            guard !commands.tokens.isRevoked(user), let token = TokenLifetime(user, now: .now) else {
                return responder.session.transport.send(
                    .error(FrameError(.invalidToken, ErrorCode.invalidToken.title)))
            }
            responder.services.sessions.renew(responder.session, token: token)
        } finally: { responder in
            if let next = responder.renewal.finish() { responder.renew(next) }
        }
    }

    /// Runs work in a task, and then continues on the event loop. An error is sent to the client.
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

/// Runs one piece of work at a time and keeps only the newest one that is offered meanwhile.
private struct LatestOnly<Work> {
    private var isBusy = false
    private var waiting: Work?

    /// Offers work.
    /// - Returns: the work to begin now; `nil` if it has to wait.
    mutating func offer(_ work: Work) -> Work? {
        guard isBusy else {
            isBusy = true
            return work
        }
        waiting = work
        return nil
    }

    /// Ends the present work.
    /// - Returns: the work to begin next, if any.
    mutating func finish() -> Work? {
        let next = waiting.take()
        isBusy = next != nil
        return next
    }
}
