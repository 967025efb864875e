import ChatEvents
import CommonAuth
import CommonUtil
import NIOCore

/// Marks rooms read for a session, one at a time; of those that wait the highest `seq` of each room is kept. Confined to the
/// socket's event loop.
final class ReadMarking {
    private let session: ChatSession
    private let services: WebSocketServices
    private let eventLoop: any EventLoop
    private var isBusy = false
    private var waiting: [RoomID: Seq] = [:]

    init(session: ChatSession, services: WebSocketServices, eventLoop: any EventLoop) {
        self.session = session
        self.services = services
        self.eventLoop = eventLoop
    }

    /// Marks a room read, now or after those before. There are at most as many that wait as the session has rooms.
    func mark(_ roomID: RoomID, upTo seq: Seq) {
        waiting[roomID] = max(seq, waiting[roomID] ?? 0)
        next()
    }

    private func next() {
        guard !isBusy, !session.hasEnded, let (roomID, seq) = waiting.popFirst() else { return }
        isBusy = true
        let (commands, userID) = (services.commands, session.userID)
        eventLoop.makeFutureWithTask {
            try await commands.markRead(roomID, by: userID, upTo: seq)
        }.assumeIsolated().whenComplete { result in
            self.isBusy = false
            if case .failure(let error) = result { self.session.transport.send(.error(.of(error))) }
            self.next()
        }
    }
}

/// Replaces a session's access token, one at a time; of those that wait the newest is kept. Confined to the socket's event
/// loop.
final class TokenRenewal {
    private let session: ChatSession
    private let services: WebSocketServices
    private let eventLoop: any EventLoop
    private var isBusy = false
    private var waiting: String?

    init(session: ChatSession, services: WebSocketServices, eventLoop: any EventLoop) {
        self.session = session
        self.services = services
        self.eventLoop = eventLoop
    }

    /// Verifies a token, now or after the one before, and lets the session go on with it.
    func renew(_ token: String) {
        waiting = token
        next()
    }

    private func next() {
        guard !isBusy, !session.hasEnded, let token = waiting.take() else { return }
        isBusy = true
        let (commands, userID) = (services.commands, session.userID)
        eventLoop.makeFutureWithTask {
            try await commands.renew(userID, token: token)
        }.assumeIsolated().whenComplete { result in
            self.isBusy = false
            switch result {
            case .success(let user): self.replaceToken(user)
            case .failure(let error): self.session.transport.send(.error(.of(error)))
            }
            self.next()
        }
    }

    private func replaceToken(_ user: AuthenticatedUser) {
        // The sign-in may have ended since the token was verified; this session was not closed with it then.
        guard !services.commands.tokens.isRevoked(user), let token = TokenLifetime(user, now: .now) else {
            return session.transport.send(.error(FrameError(.invalidToken, ErrorCode.invalidToken.title)))
        }
        services.sessions.renew(session, token: token)
    }
}

extension FrameError {
    /// The error that a client gets for one of a command.
    fileprivate static func of(_ error: any Error) -> FrameError {
        error as? FrameError ?? FrameError(.unavailable, "try again later")
    }
}
