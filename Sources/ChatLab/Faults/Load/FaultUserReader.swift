import CommonUtil
import NIOCore

/// One user socket that reconnects after every end with the rooms and the cursor that it keeps, and records each event of
/// each room. Confined to its event loop.
final class FaultUserReader: FaultSession {
    /// The user of the first reader that stays in all rooms.
    static let firstUserID = 2001
    private static let joinTime = TimeAmount.seconds(10)
    /// The codes with which a server may close a well-behaved socket. Another log is no reason to close this one.
    private static let expectedCodes: Set<UInt16> = [1000, 1001, 1012, 1013]
    private static let silence = TimeAmount.seconds(3)
    /// Rooms that may be open at a time.
    private static let openRooms = 50

    let userID: Int
    private let port: Int?
    private let readEvery: Int
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private var channel: (any Channel)?
    private var connection = 0
    private var isJoined = false
    private var backoff = Backoff(first: .milliseconds(50), longest: .seconds(1))
    private var server: Int?
    private var sendsNoReadUntil = NIODeadline.uptimeNanoseconds(0)
    private var liveEvents = 0
    private var hasSentRead = false
    private var stayAway: Duration?
    private var isAway = false
    private var memberships = MembershipClock()
    private(set) var state: UserSocketState
    private(set) var record: UserSocketRecord

    /// - Parameters:
    ///   - port: the server that it keeps to; nil for any.
    ///   - readEvery: live events from one `read` to the next; 0 for none, and then it opens no room.
    init(userID: Int, port: Int?, readEvery: Int, board: LoadBoard, eventLoop: any EventLoop) {
        self.userID = userID
        self.port = port
        self.readEvery = readEvery
        self.board = board
        self.eventLoop = eventLoop
        state = UserSocketState(heedsMarks: board.heedsMarks)
        record = UserSocketRecord(name: "user socket \(userID)", userID: userID)
    }

    /// Whether all of its rooms are live, and these are among them.
    func isLive(in rooms: some Sequence<String>) -> Bool {
        state.isLive && rooms.allSatisfy { state.places[$0] != nil }
    }

    func connect() {
        guard !board.isOver, !isAway, let port = port ?? board.webSocketPorts.randomElement() else { return }
        connection += 1
        let connection = connection
        if let server, server != port { sendsNoReadUntil = .now() + Self.silence }
        server = port
        hasSentRead = false
        if state.cursor != nil { board.evidence.resumes += 1 }
        state.reconnect()
        let join = eventLoop.assumeIsolated().scheduleTask(in: Self.joinTime) {
            if connection == self.connection, !self.isJoined { self.ended(connection, nil) }
        }
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        ChatWebSocketClient.connect(port: port, path: "/ws/user?userId=\(userID)", on: eventLoop) {
            { me.value.handle($0, connection) }
        }.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                guard connection == self.connection else { return channel.close(promise: nil) }
                self.channel = channel
            case .failure:
                join.cancel()
                self.ended(connection, nil)
            }
        }
    }

    // MARK: Faults

    func cut() {
        channel?.close(promise: nil)
    }

    func reset() -> EventLoopFuture<Void> {
        channel?.resetWithAnswersUnderWay() ?? eventLoop.makeSucceededVoidFuture()
    }

    func stall() -> EventLoopFuture<Void> {
        record.stall()
        return channel?.stopReading() ?? eventLoop.makeSucceededVoidFuture()
    }

    func goOn() {
        channel?.readOn()
    }

    /// Stays away until ``comeBack()``.
    func goAway() {
        isAway = true
        cut()
    }

    func comeBack() {
        guard isAway else { return }
        isAway = false
        connect()
    }

    /// To be called when its user asks for the first time to come into a room or to leave it.
    func asked(_ kind: String, in room: String) {
        memberships.asked(kind, in: room, isLive: state.isLive)
    }

    // MARK: Received frames

    private func handle(_ event: ChatWebSocketClient.Event, _ connection: Int) {
        guard connection == self.connection else { return }
        switch event {
        case .text(let text): take(text)
        case .closed(let code): ended(connection, code)
        }
    }

    private func take(_ text: ByteBuffer) {
        let event = EventFrame(text)
        switch event.kind {
        case "reconnect":
            stayAway = .milliseconds(Int64(event.afterMilliseconds ?? 0))
        case "typing", "pong", "token_expiring":
            break
        case "read":
            record.take(
                .init(userID: event.userID ?? 0, lastReadSeq: event.lastReadSeq ?? .max, connection: connection),
                in: event.roomID ?? "")
        case "error" where event.code == "unavailable" && hasSentRead:
            board.evidence.othersRefused += 1
        case "error":
            board.note("an error on a user socket: \(event.code ?? "no code")")
        case let kind? where UserFrame.kinds.contains(kind):
            guard let frame = UserFrame(text) else { return board.note("a frame of type \(kind) that cannot be read") }
            if kind == "ready" {
                isJoined = true
                backoff.reset()
            }
            if kind == "room_reset" { board.evidence.resets += 1 }
            for step in state.take(frame) { follow(step) }
        default:
            note(event)
        }
    }

    private func note(_ event: EventFrame) {
        guard let sighting = event.sighting, let room = event.roomID else {
            return board.note("a frame that is no event")
        }
        let wasLive = state.isLive
        let isOwnLeave = sighting.identity == .init(kind: History.leaveKind, userID: userID)
        let steps = state.event(
            of: room, at: .init(sighting.seq, sighting.eventMark), removesUser: isOwnLeave)
        for step in steps { follow(step, sighting) }
        if wasLive { sendRead(room, sighting.seq) } else { board.evidence.replayed += 1 }
        if sighting.seq >= board.heads[room] ?? .max { board.progress() }
    }

    private func follow(_ step: UserSocketState.Step, _ sighting: History.Sighting? = nil) {
        record.take(step, sighting: sighting)
        switch step {
        case .send(let texts):
            for text in texts { send(text) }
        case .began(let room, _):
            told(History.joinKind, in: room)
            if state.isLive { open([room]) }
            board.progress()
        case .ended(let room, _, _):
            told(History.leaveKind, in: room)
            board.progress()
        case .reset:
            board.progress()
        case .synced:
            open(state.places.keys.sorted())
            board.progress()
        case .violation(let what):
            board.note("on a user socket, \(what)")
        case .event, .skipped:
            break
        }
    }

    private func told(_ kind: String, in room: String) {
        guard let delay = memberships.told(kind, in: room) else { return }
        board.membershipDelays.append(delay)
    }

    private func open(_ rooms: [String]) {
        guard readEvery > 0 else { return }
        for room in rooms.prefix(Self.openRooms) { send(UserCall.open(room)) }
    }

    private func sendRead(_ room: String, _ seq: Int) {
        liveEvents += 1
        guard readEvery > 0, liveEvents.isMultiple(of: readEvery), .now() >= sendsNoReadUntil else { return }
        hasSentRead = true
        board.evidence.reads += 1
        send(UserCall.read(room, seq: seq))
    }

    private func send(_ text: String) {
        guard let channel else {
            // The first frames can come before the attempt to connect is known to have succeeded.
            eventLoop.execute { [connection, me = NIOLoopBound(self, eventLoop: eventLoop)] in
                guard connection == me.value.connection, me.value.channel != nil else { return }
                me.value.send(text)
            }
            return
        }
        channel.writeAndFlush(
            ReceivedFrameReader.clientFrame(ReceivedFrame.text, ByteBuffer(string: text)), promise: nil)
    }

    private func ended(_ connection: Int, _ code: UInt16?) {
        // The end is reported by the connection and by the attempt to make it.
        guard connection == self.connection else { return }
        self.connection += 1
        channel?.close(promise: nil)
        channel = nil
        guard !board.isOver else { return }
        if isJoined || code != nil {
            board.evidence.closes[code.map(String.init) ?? "none", default: 0] += 1
        } else {
            board.evidence.unreached += 1
        }
        isJoined = false
        state.reconnect()
        memberships.interrupt()
        if let code, !Self.expectedCodes.contains(code) { board.note("a user socket closed with \(code)") }
        let wait = stayAway ?? backoff.next()
        stayAway = nil
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) { self.connect() }
    }
}

/// How long a socket that is live all the time waits to be told of its user's own comings and goings.
struct MembershipClock {
    private var waits: [String: (kind: String, since: UInt64)] = [:]

    /// - Parameter isLive: whether the socket is; what it learns when it comes back says nothing of pushes.
    mutating func asked(
        _ kind: String, in room: String, isLive: Bool, at now: UInt64 = NIODeadline.now().uptimeNanoseconds
    ) {
        waits[room] = isLive ? (kind, now) : nil
    }

    /// - Returns: nil where nothing of the kind was asked for, or the socket was away since.
    mutating func told(
        _ kind: String, in room: String, at now: UInt64 = NIODeadline.now().uptimeNanoseconds
    ) -> History.MembershipDelay? {
        guard let wait = waits.removeValue(forKey: room), wait.kind == kind else { return nil }
        return .init(room: room, kind: kind, nanoseconds: now > wait.since ? now - wait.since : 0)
    }

    mutating func interrupt() {
        waits = [:]
    }
}
