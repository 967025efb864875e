import CommonUtil
import NIOCore

/// One user socket, or event stream of a user, that reconnects after every end with the rooms and the cursor that it keeps,
/// and records each event of each room. Confined to its event loop.
final class FaultUserReader: FaultSession {
    /// The user of the first reader that stays in all rooms.
    static let firstUserID = 2001
    /// Rooms that may be open at a time.
    private static let openRooms = 50

    let userID: Int
    private let readEvery: Int
    private let isStream: Bool
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private let connection: FaultConnection
    private var memberships = MembershipClock()
    private(set) var state: UserSocketState
    private(set) var record: UserSocketRecord

    /// - Parameters:
    ///   - port: the server that it keeps to; nil for any.
    ///   - readEvery: live events from one `read` to the next; 0 for none, and then it opens no room.
    ///   - isStream: whether it is an event stream, which sends nothing.
    init(
        userID: Int, port: Int?, readEvery: Int, isStream: Bool = false, board: LoadBoard, eventLoop: any EventLoop
    ) {
        self.userID = userID
        self.readEvery = isStream ? 0 : readEvery
        self.isStream = isStream
        self.board = board
        self.eventLoop = eventLoop
        state = UserSocketState(checksMarks: board.checksMarks, isStream: isStream)
        record = UserSocketRecord(name: "user \(isStream ? "stream" : "socket") \(userID)", userID: userID)
        connection = FaultConnection(port: port, readEvery: readEvery, board: board, eventLoop: eventLoop)
        connection.open = { [weak self] in self?.open(port: $0, $1) }
        connection.onEnd = { [weak self] in self?.ended($0) }
    }

    /// Whether all of its rooms are live, and these are among them.
    func isLive(in rooms: some Sequence<String>) -> Bool {
        state.isLive && rooms.allSatisfy { state.places[$0] != nil }
    }

    func connect() { connection.connect() }

    private func open(port: Int, _ number: Int) -> EventLoopFuture<any Channel> {
        if state.cursor != nil { board.evidence.resumes += 1 }
        state.reconnect()
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        guard !isStream else {
            return EventStreamClient.connect(
                port: port, path: "/sse/user?userId=\(userID)", lastEventID: state.cursor, on: eventLoop
            ) {
                { me.value.handle($0, number) }
            }
        }
        return ChatWebSocketClient.connect(port: port, path: "/ws/user?userId=\(userID)", on: eventLoop) {
            { me.value.handle($0, number) }
        }
    }

    // MARK: Faults

    func cut() { connection.cut() }

    func reset() -> EventLoopFuture<Void> { connection.reset(sendsFrames: !isStream) }

    func stall() -> EventLoopFuture<Void> {
        record.stall()
        return connection.stall()
    }

    func goOn() { connection.goOn() }

    /// Stays away until ``comeBack()``.
    func goAway() {
        connection.isAway = true
        cut()
    }

    func comeBack() {
        guard connection.isAway else { return }
        connection.isAway = false
        connect()
    }

    /// To be called when its user asks for the first time to come into a room or to leave it.
    func asked(_ kind: String, in room: String) {
        memberships.asked(kind, in: room, isLive: state.isLive)
    }

    // MARK: Received frames

    private func handle(_ event: ChatWebSocketClient.Event, _ number: Int) {
        guard number == connection.number else { return }
        switch event {
        case .text(let text): take(text)
        case .closed(let code): connection.ended(number, code)
        }
    }

    private func handle(_ event: EventStreamClient.Event, _ number: Int) {
        guard number == connection.number else { return }
        switch event {
        case .message(let text, let id):
            take(text)
            // After the frame: what came before the ID is not sent again.
            if !id.isEmpty, id != state.cursor { for step in state.keep(id) { follow(step) } }
        case .retry(let milliseconds):
            // The first one is the usual time, which would make every cut an absence of 3 s.
            if connection.isJoined { connection.stayAway = .milliseconds(Int64(milliseconds)) }
        case .closed(let code):
            connection.ended(number, code)
        }
    }

    private func take(_ text: ByteBuffer) {
        let event = EventFrame(text)
        switch event.kind {
        case "reconnect":
            connection.stayAway = .milliseconds(Int64(event.afterMilliseconds ?? 0))
        case "typing", "pong", "token_expiring":
            break
        case "read":
            record.take(
                .init(userID: event.userID ?? 0, lastReadSeq: event.lastReadSeq ?? .max, connection: connection.number),
                in: event.roomID ?? "")
        case "error" where event.code == "unavailable" && connection.hasSentRead:
            board.evidence.othersRefused += 1
        case "error":
            board.note("an error on a user socket: \(event.code ?? "no code")")
        case let kind? where UserFrame.kinds.contains(kind):
            guard let frame = UserFrame(text) else { return board.note("a frame of type \(kind) that cannot be read") }
            if kind == "ready" { connection.joined() }
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
        if !wasLive {
            board.evidence.replayed += 1
        } else if !isOwnLeave {
            sendRead(room, sighting.seq)
        }
        if sighting.seq >= board.heads[room] ?? .max { board.progress() }
    }

    private func follow(_ step: UserSocketState.Step, _ sighting: History.Sighting? = nil) {
        record.take(step, sighting: sighting)
        switch step {
        case .send(let texts):
            for text in texts { send(text) }
        case .began(let room, _):
            reported(History.joinKind, in: room)
            if state.isLive { open([room]) }
            board.progress()
        case .ended(let room, _, _):
            reported(History.leaveKind, in: room)
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

    private func reported(_ kind: String, in room: String) {
        guard let delay = memberships.reported(kind, in: room) else { return }
        board.membershipDelays.append(delay)
    }

    private func open(_ rooms: [String]) {
        guard readEvery > 0 else { return }
        for room in rooms.prefix(Self.openRooms) { send(UserCall.open(room)) }
    }

    private func sendRead(_ room: String, _ seq: Int) {
        guard connection.isReadDue() else { return }
        connection.sendsRead()
        send(UserCall.read(room, seq: seq))
    }

    private func send(_ text: String) {
        guard let channel = connection.channel else {
            // The first frames can come before the attempt to connect is known to have succeeded.
            eventLoop.execute { [number = connection.number, me = NIOLoopBound(self, eventLoop: eventLoop)] in
                let connection = me.value.connection
                guard number == connection.number, connection.channel != nil else { return }
                me.value.send(text)
            }
            return
        }
        channel.sendText(text)
    }

    private func ended(_ code: UInt16?) {
        state.reconnect()
        memberships.interrupt()
        // Another log is no reason to close this socket.
        if let code, !FaultConnection.expectedCodes.contains(code) { board.note("a user socket closed with \(code)") }
    }
}

/// How long a socket that is live all the time waits for its user's own comings and goings.
struct MembershipClock {
    private var waits: [String: (kind: String, since: UInt64)] = [:]

    /// - Parameter isLive: whether the socket is; what it learns when it comes back says nothing of pushes.
    mutating func asked(
        _ kind: String, in room: String, isLive: Bool, at now: UInt64 = NIODeadline.now().uptimeNanoseconds
    ) {
        waits[room] = isLive ? (kind, now) : nil
    }

    /// - Returns: nil where nothing of the kind was asked for, or the socket was away since.
    mutating func reported(
        _ kind: String, in room: String, at now: UInt64 = NIODeadline.now().uptimeNanoseconds
    ) -> History.MembershipDelay? {
        guard let wait = waits.removeValue(forKey: room), wait.kind == kind else { return nil }
        return .init(room: room, kind: kind, nanoseconds: now > wait.since ? now - wait.since : 0)
    }

    mutating func interrupt() {
        waits = [:]
    }
}
