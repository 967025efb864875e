import ChatEvents
import CommonUtil
import Logging
import NIOCore

/// Changes that the feeds send to an event loop; applied in order.
enum ShardUpdate: Sendable {
    /// From now on this loop gets what the room sends after `position`, whose event has the mark.
    case attach(RoomID, position: Seq, mark: EventMark? = nil)
    case dispatch(RoomDispatch)
    /// This loop has no more sessions of the room.
    case detach(RoomID)
    /// The room's log no longer holds what was sent of it: its sessions end, and it starts again.
    case logSetBack(RoomID)
    /// Recent events may be another log's than the present one: what sessions miss is read from the log.
    case emptyRings
    /// For every live session of a user, whatever its rooms.
    case user(UserID, MessageEvent)
}

/// The sessions of one event loop, by room and by user. Confined to that loop.
final class SessionShard {
    /// Clients of a stopping server reconnect within this time after their close, in milliseconds.
    private static let reconnectSpread: Int64 = 5_000
    /// Sockets that one event loop closes per second while the server drains, if that fits into the time for it.
    private static let drainedPerSecond = 200

    let eventLoop: any EventLoop
    let fanOut: FanOut
    private let catchUp: CatchUp
    private let metrics: DeliveryMetrics
    private let wheel: SessionTimers
    private var rooms: [RoomID: RoomSessions] = [:]
    private var users: [UserID: [ObjectIdentifier: ChatSession]] = [:]
    private var rings: RingBudget<RoomSessions>
    private var isFlushDue = false
    /// The registered sessions, in no particular order.
    private(set) var sessions: [ChatSession] = []

    /// - Parameters:
    ///   - readLimiter: shared by all event loops.
    ///   - ringBytes: memory for the rings of all rooms on this event loop.
    init(
        eventLoop: any EventLoop, log: any RoomLog, readLimiter: AsyncSemaphore, ringBytes: Int,
        metrics: DeliveryMetrics,
        logger: Logger
    ) {
        self.eventLoop = eventLoop
        self.metrics = metrics
        fanOut = FanOut(metrics: metrics)
        catchUp = CatchUp(
            eventLoop: eventLoop, log: log, readLimiter: readLimiter, fanOut: fanOut, metrics: metrics, logger: logger)
        wheel = SessionTimers(eventLoop: eventLoop)
        rings = RingBudget(maximumBytes: ringBytes)
        fanOut.onOtherLog = { [weak self] in self?.logWasSetBack($0) }
        fanOut.onMembershipEnd = { [weak self] in self?.membershipEnded($0, by: $1) }
        catchUp.onCaughtUp = { [weak self] in self?.settle($0) }
    }

    // MARK: Sessions

    /// Number of registered sessions.
    var sessionCount: Int { sessions.count }

    /// Registers a session of a room and sends it `ready`, and from then on what its room sends.
    /// - Parameter ready: the first bytes that the session gets.
    func register(_ session: ChatSession, ready: ByteBuffer) {
        insert(session)
        let lost = session.subscriptions.filter { !begin($0) }
        fanOut.count(session)
        if session.behind.isEmpty {
            session.transport.send(ready)
        } else {
            // Together with what it is missing, in one write.
            session.transport.write(ready)
            catchUp.advance(session)
        }
        for subscription in lost { logWasSetBack(subscription) }
    }

    /// Adds a session to those of this event loop.
    func insert(_ session: ChatSession) {
        wheel.begin(session)
        session.index = sessions.count
        sessions.append(session)
        if let userID = session.userID { users[userID, default: [:]][ObjectIdentifier(session)] = session }
    }

    /// Adds a subscription to its room.
    /// - Returns: `false` if the room's log was set back meanwhile: the feeds attach a room before its sessions begin, so it
    ///   is here unless it was removed again.
    func begin(_ subscription: RoomSubscription) -> Bool {
        guard let room = rooms[subscription.roomID] else { return false }
        room.insert(subscription)
        fanOut.move(subscription) { $0.begin(in: room.tail) }
        subscription.session.enqueue(subscription)
        return true
    }

    /// The id of a room of this event loop, whose text is in memory once for all its subscriptions.
    func interned(_ roomID: RoomID) -> RoomID { rooms.index(forKey: roomID).map { rooms[$0].key } ?? roomID }

    /// Removes a session. Nothing is sent to it any more.
    func remove(_ session: ChatSession) {
        guard !session.hasEnded else { return }
        for subscription in session.subscriptions {
            subscription.cursor.end()
            subscription.room?.remove(subscription)
        }
        session.end()
        fanOut.count(session)
        wheel.end(session)
        let last = sessions.removeLast()
        if session.index < sessions.count {
            sessions[session.index] = last
            last.index = session.index
        }
        guard let userID = session.userID else { return }
        users[userID]?[ObjectIdentifier(session)] = nil
        if users[userID]?.isEmpty == true { users[userID] = nil }
    }

    /// Sends a session what it is missing; to be called when its socket has become writable.
    func advance(_ session: ChatSession) {
        catchUp.advance(session)
        if session.transport.isWritable { session.user?.becameWritable() }
    }

    /// Replaces a session's access token.
    func renew(_ session: ChatSession, token: TokenLifetime) {
        session.token = token
        wheel.tokenChanged(session)
    }

    /// The sessions of a room.
    func sessions(inRoom roomID: RoomID) -> [ChatSession] { rooms[roomID]?.subscriptions.map(\.session) ?? [] }

    /// The sessions of a user, in all rooms.
    func sessions(ofUser userID: UserID) -> [ChatSession] { users[userID].map { Array($0.values) } ?? [] }

    // MARK: Ending sessions

    /// Closes the sessions whose sign-ins have ended. A session that is being opened is not among them: for it
    /// the list of revocations is checked at the end of its admission, on this event loop.
    func close(endedBy revocations: [Revocation]) {
        for revocation in revocations {
            for session in sessions(ofUser: revocation.userID)
            where revocation.ends(sessionOf: session.token?.signInID) {
                session.transport.close(.signInEnded)
            }
        }
    }

    /// Sends `reconnect` to every session and closes each at a random moment.
    /// - Parameter longest: the time in which all have to be closed.
    func drain(longest: TimeAmount) {
        let reason = "this server restarts"
        let needed = TimeAmount.milliseconds(Int64(sessionCount) * 1_000 / Int64(Self.drainedPerSecond))
        for session in sessions {
            let reconnect = SessionEvent.reconnect(afterMs: .random(in: 0...Self.reconnectSpread), reason: reason)
            session.transport.send(reconnect)
            let delay = TimeAmount.nanoseconds(.random(in: 0...min(needed, longest).nanoseconds))
            eventLoop.assumeIsolated().scheduleTask(in: delay) {
                session.transport.close(CloseReason(.restart, reason))
            }
        }
    }

    // MARK: Delivery

    /// Applies what the feeds send.
    func apply(_ updates: [ShardUpdate]) {
        defer {
            fanOut.reportSent()
            flushSoon()
        }
        for update in updates {
            switch update {
            case .attach(let roomID, let position, let mark):
                if rooms[roomID] == nil { rooms[roomID] = RoomSessions(position: position, mark: mark) }
            case .dispatch(let dispatch):
                if let room = rooms[dispatch.roomID] { deliver(dispatch, to: room) }
            case .detach(let roomID):
                if rooms[roomID]?.subscriptions.isEmpty == true { removeRoom(roomID) }
            case .logSetBack(let roomID):
                for subscription in removeRoom(roomID)?.subscriptions ?? [] { logWasSetBack(subscription) }
            case .emptyRings:
                for room in rooms.values { fallBackToLog(room) }
            case .user(let userID, let event):
                for session in sessions(ofUser: userID) where session.phase == .live {
                    fanOut.send(session.format.encode(event), to: session)
                }
            }
        }
    }

    /// Sends what was written for sessions of users once all updates are applied that are waiting already: the longer this event
    /// loop is behind, the more events share a system call.
    private func flushSoon() {
        guard fanOut.hasUnflushed, !isFlushDue else { return }
        isFlushDue = true
        eventLoop.assumeIsolated().execute {
            self.isFlushDue = false
            self.fanOut.flush()
        }
    }

    private func deliver(_ dispatch: RoomDispatch, to room: RoomSessions) {
        let before = room.tail.position
        fanOut.deliver(dispatch, to: room)
        if room.tail.position > before { boundRings(after: room) }
    }

    private func boundRings(after room: RoomSessions) {
        room.ringSlot = rings.note(room, slot: room.ringSlot, bytes: room.tail.ring.memory)
        while let idle = rings.popExcess() {
            idle.ringSlot = nil
            idle.tail.emptyRing()
        }
    }

    /// Drops a room's recent events, and lets the sessions that are ahead of it read the log.
    private func fallBackToLog(_ room: RoomSessions) {
        emptyRing(of: room)
        for subscription in room.subscriptions where subscription.cursor.seq > room.tail.position {
            let wasLive = subscription.cursor.isLive
            fanOut.move(subscription) { $0.verify(position: room.tail.position) }
            if wasLive { subscription.session.enqueue(subscription) }
            catchUp.advance(subscription.session)
        }
    }

    private func emptyRing(of room: RoomSessions) {
        if let slot = room.ringSlot.take() { rings.remove(slot) }
        room.tail.emptyRing()
    }

    @discardableResult
    private func removeRoom(_ roomID: RoomID) -> RoomSessions? {
        guard let room = rooms.removeValue(forKey: roomID) else { return nil }
        if let slot = room.ringSlot.take() { rings.remove(slot) }
        return room
    }
}
