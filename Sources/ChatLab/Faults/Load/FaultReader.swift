import CommonUtil
import NIOCore

/// One session of one room, over a WebSocket or an event stream, that reconnects after every end with the `seq` and the
/// mark of its last event, and records each event. Confined to its event loop.
///
/// Every `readEvery` live events it sends a `read`, if it can.
final class FaultReader: FaultSession {
    /// The user of the first session.
    private static let firstUserID = 1000

    let room: String
    private let number: Int
    private let isStream: Bool
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private let connection: FaultConnection
    /// The room's head when the present connection began.
    private var headAtStart = 0
    private var readsFromStart: Bool
    private(set) var session: History.Session
    /// The last event it has; nil until it has joined the room for the first time.
    private(set) var cursor: Int?
    /// The mark of that event.
    private var mark: String?
    /// The ID of the last event of a stream that had one.
    private var lastEventID: String?

    /// - Parameter port: the server that it keeps to; nil for any.
    init(
        number: Int, room: String, port: Int?, readEvery: Int, isStream: Bool, board: LoadBoard,
        eventLoop: any EventLoop
    ) {
        self.number = number
        self.room = room
        self.isStream = isStream
        self.board = board
        self.eventLoop = eventLoop
        readsFromStart = number.isMultiple(of: 2)
        session = History.Session(name: "\(isStream ? "stream" : "session") \(number)", room: room, start: 0)
        connection = FaultConnection(
            port: port, readEvery: isStream ? 0 : readEvery, board: board, eventLoop: eventLoop)
        connection.open = { [weak self] in self?.open(port: $0, $1) }
        connection.onEnd = { [weak self] in self?.ended($0) }
    }

    func connect() { connection.connect() }

    private func open(port: Int, _ number: Int) -> EventLoopFuture<any Channel> {
        if cursor != nil { board.evidence.resumes += 1 }
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        let parameters = "roomId=\(room)&userId=\(Self.firstUserID + self.number)"
        let seq = cursor ?? (readsFromStart ? 0 : nil)
        let mark = board.checksMarks ? mark : nil
        guard !isStream else {
            // What an `EventSource` does: the address stays the same, and the last ID is sent from the second time on.
            let id = cursor.flatMap { cursor in board.checksMarks ? lastEventID : String(cursor) }
            return EventStreamClient.connect(
                port: port, path: "/sse/chat?\(parameters)" + (readsFromStart ? "&lastSeq=0" : ""), lastEventID: id,
                on: eventLoop
            ) {
                { me.value.handle($0, number) }
            }
        }
        var path = "/ws/chat?\(parameters)"
        if let seq { path += "&lastSeq=\(seq)" }
        if let mark, seq ?? 0 > 0 { path += "&lastMark=\(mark)" }
        return ChatWebSocketClient.connect(port: port, path: path, on: eventLoop) {
            { me.value.handle($0, number) }
        }
    }

    // MARK: Faults

    func cut() { connection.cut() }

    func reset() -> EventLoopFuture<Void> { connection.reset(sendsFrames: !isStream) }

    func stall() -> EventLoopFuture<Void> {
        session.wasStalled = true
        return connection.stall()
    }

    func goOn() { connection.goOn() }

    // MARK: Received frames

    private func handle(_ event: ChatWebSocketClient.Event, _ number: Int) {
        guard number == connection.number else { return }
        switch event {
        case .text(let text): take(EventFrame(text))
        case .closed(let code): connection.ended(number, code)
        }
    }

    private func handle(_ event: EventStreamClient.Event, _ number: Int) {
        guard number == connection.number else { return }
        switch event {
        case .message(let text, let id):
            // Kept before the event is taken, as a browser does.
            lastEventID = id.isEmpty ? lastEventID : id
            take(EventFrame(text))
        case .retry(let milliseconds):
            // The first one is the usual time, which would make every cut an absence of 3 s. The last one is how a server
            // says how long to stay away.
            if connection.isJoined { connection.stayAway = .milliseconds(Int64(milliseconds)) }
        case .closed(let code):
            connection.ended(number, code)
        }
    }

    private func take(_ frame: EventFrame) {
        switch frame.kind {
        case "ready":
            connection.joined()
            headAtStart = frame.seq ?? 0
            if cursor == nil {
                session.start = readsFromStart ? 0 : headAtStart
                cursor = session.start
                mark = session.start > 0 ? frame.mark : nil
                board.progress()
            }
        case "reconnect":
            connection.stayAway = .milliseconds(Int64(frame.afterMilliseconds ?? 0))
        case "caught_up", "typing", "pong", "token_expiring":
            break
        case "read":
            session.receipts.append(
                .init(userID: frame.userID ?? 0, lastReadSeq: frame.lastReadSeq ?? .max, connection: connection.number))
        case "error" where frame.code == "unavailable" && connection.hasSentRead:
            board.evidence.othersRefused += 1
        case "error":
            board.note("a frame of type error")
        default:
            note(frame)
        }
    }

    private func note(_ frame: EventFrame) {
        guard let sighting = frame.sighting else {
            board.note("a frame that is no event")
            return
        }
        let seq = sighting.seq
        session.sightings.append(sighting)
        cursor = seq
        mark = sighting.eventMark
        if seq <= headAtStart { board.evidence.replayed += 1 } else { sendRead(seq) }
        if seq >= board.heads[room] ?? .max { board.progress() }
    }

    private func sendRead(_ seq: Int) {
        guard connection.isReadDue(), let channel = connection.channel else { return }
        connection.sendsRead()
        channel.sendText(#"{"type":"read","seq":\#(seq)}"#)
    }

    private func ended(_ code: UInt16?) {
        guard let code else { return }
        if code == UInt16(History.lostLogCode), board.checksMarks { startOver() }
        if !isExpected(code) { board.note("a socket closed with \(code)") }
    }

    private func isExpected(_ code: UInt16) -> Bool {
        FaultConnection.expectedCodes.contains(code) || board.expectsLogLoss && code == UInt16(History.lostLogCode)
    }

    /// Forgets what it has: it is no part of the server's log.
    private func startOver() {
        session.abandoned.append(.init(start: session.start, sightings: session.sightings))
        session.sightings = []
        readsFromStart = true
        cursor = nil
        mark = nil
        lastEventID = nil
        board.progress()
    }
}
