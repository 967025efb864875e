import ChatEvents
import CommonUtil
import NIOCore

/// Executes the frames of a user socket. Confined to the socket's event loop.
final class UserFrameResponder: FrameResponder {
    private let user: UserSessionHandle
    private let services: WebSocketServices
    private let eventLoop: any EventLoop
    private let marks: ReadMarking
    private let renewal: TokenRenewal
    private var collector: SyncCollector
    /// Rooms in which the last `typing` of the session was true.
    private var typing: Set<RoomID> = []

    private var session: ChatSession { user.session }

    /// - Parameter isSynchronized: whether the session starts without `sync`.
    init(user: UserSessionHandle, isSynchronized: Bool, services: WebSocketServices, eventLoop: any EventLoop) {
        self.user = user
        self.services = services
        self.eventLoop = eventLoop
        collector = isSynchronized ? .finished : SyncCollector(now: .now())
        marks = ReadMarking(session: user.session, services: services, eventLoop: eventLoop)
        renewal = TokenRenewal(session: user.session, services: services, eventLoop: eventLoop)
    }

    /// Starts the session, or the time that the client has to ask for it.
    func begin() {
        if collector.isFinished { user.synchronize(SyncRequest()) } else { awaitSync() }
    }

    func execute(_ text: [UInt8]) throws(FrameError) {
        let frame: UserFrame
        do throws(FrameError) {
            frame = try UserFrame(text: text)
        } catch {
            throw collector.isFinished || error.code != .unknownType ? error : Self.notSynced
        }
        guard collector.isFinished || frame.needsNoSync else { throw Self.notSynced }
        switch frame {
        case .ping: session.transport.send(.pong)
        case .auth(let token): renewal.renew(token)
        case .sync(let sync): try take(sync)
        case .typing(let roomID, let isTyping): try publishTyping(isTyping, in: roomID)
        case .read(let roomID, let seq):
            try session.user?.subscription(roomID)
            marks.mark(roomID, upTo: seq)
        case .open(let roomID): try session.user?.open(roomID)
        case .close(let roomID): try session.user?.close(roomID)
        }
    }

    private static let notSynced = FrameError(.notSynced, "sync comes first")

    private func publishTyping(_ isTyping: Bool, in roomID: RoomID) throws(FrameError) {
        try session.user?.subscription(roomID)
        try services.commands.publishTyping(isTyping, in: roomID, by: session.userID, sessionID: session.id)
        if isTyping { typing.insert(roomID) } else { typing.remove(roomID) }
    }

    func sessionEnded() {
        for roomID in typing {
            try? services.commands.publishTyping(false, in: roomID, by: session.userID, sessionID: session.id)
        }
        typing = []
        user.end()
    }

    // MARK: Sync

    private func take(_ frame: SyncFrame) throws(FrameError) {
        do throws(FrameError) {
            if let request = try collector.take(frame, now: .now()) { user.synchronize(request) }
        } catch {
            guard error.code == .tooManyRooms else { throw error }
            session.transport.send(.error(error))
            session.transport.close(CloseReason(.policyViolation, error.message))
        }
    }

    // One timer at a time, which is not cancelled: a deadline only moves back.
    private func awaitSync() {
        guard let deadline = collector.deadline else { return }
        eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            guard let self, !session.hasEnded, let deadline = collector.deadline else { return }
            guard deadline <= .now() else { return awaitSync() }
            session.transport.close(CloseReason(.policyViolation, "no sync came in time"))
        }
    }
}
