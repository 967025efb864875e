import ChatEvents
import CommonUtil
import Logging
import NIOCore

/// The sessions of one event loop. Confined to that loop, so that delivering takes no lock.
final class SessionShard {
    /// Events of one page that a session reads from the log.
    private static let pageSize = 64
    /// Clients of a server that stops come back within so many milliseconds after their close.
    private static let reconnectSpreadMs: Int64 = 5_000

    let eventLoop: any EventLoop
    private let log: any RoomLog
    private let readLimiter: ReadLimiter
    private let metrics: DeliveryMetrics
    private let logger: Logger
    private var rooms: [RoomID: RoomSessions] = [:]
    private var users: [UserID: [ObjectIdentifier: ChatSession]] = [:]
    private(set) var sessionCount = 0
    private let wheel: SessionWheel
    private var rings: RingBudget<RoomSessions>
    private let gaps: QuietLog
    private var unreported = (frames: 0, bytes: 0)

    /// - Parameter ringBytes: what the rings of all rooms may hold on this event loop.
    init(
        eventLoop: any EventLoop, log: any RoomLog, readLimiter: ReadLimiter, ringBytes: Int, metrics: DeliveryMetrics,
        logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.log = log
        self.readLimiter = readLimiter
        self.metrics = metrics
        self.logger = logger
        wheel = SessionWheel(eventLoop: eventLoop)
        rings = RingBudget(maximumBytes: ringBytes)
        gaps = QuietLog(logger: logger, message: "a room's log lacks events; a session steps over them")
    }

    // MARK: Sessions

    /// Takes a session in, sends its `ready`, and from then on what its room says.
    /// - Parameters:
    ///   - head: the room's head as the log told it at the policy.
    ///   - lastSeq: where the client wants to go on; `nil` for live only.
    func register(_ session: ChatSession, head: Seq, lastSeq: Seq?, ready: (Seq) -> ByteBuffer) {
        let room = rooms[session.roomID] ?? RoomSessions(position: head)
        rooms[session.roomID] = room
        room.insert(session)
        if let userID = session.userID { users[userID, default: [:]][ObjectIdentifier(session)] = session }
        sessionCount += 1
        // From the head at which the user was let in, not from where this loop is meanwhile: in between stands perhaps
        // that the user is no longer a member.
        session.cursor = lastSeq ?? head
        session.phase =
            session.cursor < room.position || lastSeq != nil ? .catchingUp(announces: lastSeq != nil) : .live
        metrics.moved(from: nil, to: session.phase)
        wheel.begin(session)
        guard session.phase != .live else { return session.transport.send(ready(head)) }
        // With what it lacks, in one write.
        session.transport.write(ready(head))
        catchUp(session)
    }

    func remove(_ session: ChatSession) {
        guard session.phase != .ended else { return }
        setPhase(.ended, of: session)
        rooms[session.roomID]?.remove(session)
        wheel.end(session)
        sessionCount -= 1
        guard let userID = session.userID else { return }
        users[userID]?[ObjectIdentifier(session)] = nil
        if users[userID]?.isEmpty == true { users[userID] = nil }
    }

    /// Lets a session live by a fresh token.
    func renew(_ session: ChatSession, token: TokenLifetime) {
        session.token = token
        wheel.tokenChanged(session)
    }

    func sessions(inRoom roomID: RoomID) -> [ChatSession] { rooms[roomID]?.sessions ?? [] }

    func sessions(ofUser userID: UserID) -> [ChatSession] { users[userID].map { Array($0.values) } ?? [] }

    /// Tells each session when to come back, counted from its close, and closes it at a random moment.
    func drain(longest: TimeAmount) {
        let reason = "this server restarts"
        let needed = TimeAmount.milliseconds(Int64(sessionCount) * 1_000 / Int64(DrainService.closesPerSecond))
        for session in rooms.values.flatMap(\.sessions) {
            let reconnect = SessionEvent.reconnect(afterMs: .random(in: 0...Self.reconnectSpreadMs), reason: reason)
            session.transport.send(reconnect)
            let delay = TimeAmount.nanoseconds(.random(in: 0...min(needed, longest).nanoseconds))
            eventLoop.assumeIsolated().scheduleTask(in: delay) {
                session.transport.close(CloseReason(.restart, reason))
            }
        }
    }

    // MARK: Delivery

    func apply(_ updates: [ShardUpdate]) {
        defer { reportSent() }
        for update in updates {
            switch update {
            case .attach(let roomID, let position):
                if rooms[roomID] == nil { rooms[roomID] = RoomSessions(position: position) }
            case .dispatch(let dispatch):
                if let room = rooms[dispatch.roomID] { deliver(dispatch, to: room) }
            case .detach(let roomID):
                if rooms[roomID]?.sessions.isEmpty == true { forgetRoom(roomID) }
            case .logSetBack(let roomID):
                for session in forgetRoom(roomID)?.sessions ?? [] {
                    session.transport.close(CloseReason(.aheadOfLog, "the room's log was set back"))
                }
            case .user(let userID, let frame):
                for session in sessions(ofUser: userID) where session.phase == .live {
                    send(frame, count: 1, to: session)
                }
            }
        }
    }

    @discardableResult
    private func forgetRoom(_ roomID: RoomID) -> RoomSessions? {
        guard let room = rooms.removeValue(forKey: roomID) else { return nil }
        if let slot = room.ringSlot.take() { rings.remove(slot) }
        return room
    }

    private func deliver(_ dispatch: RoomDispatch, to room: RoomSessions) {
        let before = room.position
        for event in dispatch.events {
            guard let seq = event.seq, seq > room.position else { continue }
            room.ring.append(event, seq: seq)
            room.position = seq
        }
        if room.position > before { boundRings(after: room) }
        for session in room.sessions {
            if session.phase != .live {
                if dispatch.endsMemberships { endIfLeft(session, dispatch) }
            } else if session.cursor == before, dispatch.isForAll {
                session.cursor = room.position
                send(dispatch.frames, count: dispatch.events.count, to: session)
            } else {
                deliverOneByOne(dispatch, to: session)
            }
        }
        metrics.delivered(dispatch)
    }

    private func boundRings(after room: RoomSessions) {
        room.ringSlot = rings.note(room, slot: room.ringSlot, bytes: room.ring.memory)
        while let idle = rings.popExcess() {
            idle.ringSlot = nil
            idle.ring.removeAll()
        }
    }

    /// For a session that has some of these events already, since its page of the log was ahead of this loop, or that
    /// one of them may end, or that caused one.
    private func deliverOneByOne(_ dispatch: RoomDispatch, to session: ChatSession) {
        for event in dispatch.events {
            if let seq = event.seq {
                guard seq > session.cursor else { continue }
                session.cursor = seq
            } else if event.senderSessionID == session.id {
                continue
            }
            send(event.frame, count: 1, to: session)
            guard !endIfLeft(session, event), session.phase == .live else { return }
        }
    }

    /// Who is no longer a member gets the event that says so and nothing after it.
    @discardableResult
    private func endIfLeft(_ session: ChatSession, _ event: MessageEvent) -> Bool {
        guard session.isEnded(by: event) else { return false }
        session.transport.close(CloseReason(.notAMember, "no longer a member of this room"))
        return true
    }

    /// Who still has to catch up is not kept until it has read as far as that.
    private func endIfLeft(_ session: ChatSession, _ dispatch: RoomDispatch) {
        _ = dispatch.events.first { endIfLeft(session, $0) }
    }

    private func send(_ frames: ByteBuffer, count: Int, to session: ChatSession) {
        session.transport.send(frames)
        noteSent(count, frames)
        if !session.transport.isWritable, session.phase == .live {
            setPhase(.catchingUp(announces: false), of: session)
        }
    }

    /// Counted here and reported once a turn: a counter that other threads read costs more than a frame.
    private func noteSent(_ count: Int, _ frames: ByteBuffer) {
        unreported.frames += count
        unreported.bytes += frames.readableBytes
    }

    private func reportSent() {
        guard unreported.frames > 0 else { return }
        metrics.sent(frames: unreported.frames, bytes: unreported.bytes)
        unreported = (0, 0)
    }

    // MARK: Catching up

    /// Sends a session what it lacks, as far as its socket takes it, and makes it live when nothing is lacking.
    func catchUp(_ session: ChatSession) {
        guard case .catchingUp(let announces) = session.phase, !session.isReading,
            let room = rooms[session.roomID]
        else { return }
        defer {
            session.transport.flush()
            reportSent()
        }
        // The loop may not have heard yet of what `ready` told.
        let end = max(room.position, session.admittedAt)
        while session.transport.isWritable {
            guard session.cursor < end else { return goLive(session, announces: announces) }
            guard let event = room.ring[session.cursor + 1] else { return readPage(for: session) }
            session.cursor += 1
            queue(event, for: session)
        }
    }

    private func queue(_ event: MessageEvent, for session: ChatSession) {
        session.transport.write(event.frame)
        noteSent(1, event.frame)
        endIfLeft(session, event)
    }

    private func goLive(_ session: ChatSession, announces: Bool) {
        setPhase(.live, of: session)
        guard announces else { return }
        let caughtUp = SessionEvent.caughtUp(session.roomID, seq: session.cursor)
        session.transport.write(WebSocketFrame.text(caughtUp.jsonBytes))
    }

    /// A session that has ended stays so.
    private func setPhase(_ phase: ChatSession.Phase, of session: ChatSession) {
        guard session.phase != .ended else { return }
        metrics.moved(from: session.phase, to: phase)
        session.phase = phase
    }

    private func readPage(for session: ChatSession) {
        session.isReading = true
        let roomID = session.roomID
        let cursor = session.cursor
        eventLoop.makeFutureWithTask { [log, readLimiter] in
            try await readLimiter.run {
                try await log.events(of: roomID, after: cursor, limit: Self.pageSize).events
            }
        }.assumeIsolated().whenComplete { self.received($0, for: session) }
    }

    private func received(_ page: Result<[MessageEvent], any Error>, for session: ChatSession) {
        session.isReading = false
        switch page {
        case .success(let events) where events.first?.seq != session.cursor + 1:
            foundGap(before: events.first?.seq, session)
        case .success(let events):
            metrics.receivedFromLog(events.count)
            // What the socket does not take now is read again later: a page is not kept for a slow reader.
            for event in events where session.transport.isWritable {
                guard let seq = event.seq, seq == session.cursor + 1 else { continue }
                session.cursor = seq
                queue(event, for: session)
            }
            catchUp(session)
        case .failure(let error):
            logger.debug("a page of the log could not be read", metadata: ["reason": "\(error)"])
            readAgain(session, after: .milliseconds(.random(in: 250...750)))
        }
    }

    /// The log lacks the next event, although there are later ones, or this loop has been told of them.
    /// - Parameter next: the next event that the log has, if any.
    private func foundGap(before next: Seq?, _ session: ChatSession) {
        guard session.phase != .ended else { return }
        switch session.gap.found(after: session.cursor) {
        case .readAgain(let pause):
            readAgain(session, after: TimeAmount(pause))
        case .stepOver:
            let end = next.map { $0 - 1 } ?? max(rooms[session.roomID]?.position ?? 0, session.admittedAt)
            metrics.steppedOverGap()
            gaps.note(["room": "\(session.roomID)", "after": "\(session.cursor)", "upTo": "\(end)"])
            session.cursor = max(session.cursor, end)
            catchUp(session)
        }
    }

    private func readAgain(_ session: ChatSession, after pause: TimeAmount) {
        session.isReading = true
        eventLoop.assumeIsolated().scheduleTask(in: pause) {
            session.isReading = false
            self.catchUp(session)
        }
    }
}
