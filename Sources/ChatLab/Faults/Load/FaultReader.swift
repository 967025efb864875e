import CommonUtil
import NIOCore

/// One session of one room, over a WebSocket or an event stream, that reconnects after every end with the `seq` and the
/// mark of its last event, and records each event. Confined to its event loop.
///
/// Every `readEvery` live events it sends a `read`, if it can.
final class FaultReader: FaultSession {
    /// The user of the first session.
    private static let firstUserID = 1000
    private static let joinTime = TimeAmount.seconds(10)
    /// The codes with which a server may close a well-behaved socket.
    private static let expectedCodes: Set<UInt16> = [1000, 1001, 1012, 1013]
    /// How long it sends no `read` after it came to another server: the server before may hold back its last one for a
    /// second, and there is no order between two servers.
    private static let silence = TimeAmount.seconds(3)

    let room: String
    private let number: Int
    private let port: Int?
    private let readEvery: Int
    private let isStream: Bool
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private var channel: (any Channel)?
    /// Counts the connections, so that what comes late from one is not taken for the next one's.
    private var connection = 0
    private var isJoined = false
    private var backoff = Backoff(first: .milliseconds(50), longest: .seconds(1))
    /// The room's head when the present connection began.
    private var headAtStart = 0
    private var server: Int?
    private var sendsNoReadUntil = NIODeadline.uptimeNanoseconds(0)
    private var liveEvents = 0
    /// Whether it has sent a `read` on this connection, which may be answered with an error.
    private var hasSentRead = false
    private var stayAway: Duration?
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
        self.port = port
        self.readEvery = isStream ? 0 : readEvery
        self.isStream = isStream
        self.board = board
        self.eventLoop = eventLoop
        readsFromStart = number.isMultiple(of: 2)
        session = History.Session(name: "\(isStream ? "stream" : "session") \(number)", room: room, start: 0)
    }

    func connect() {
        guard !board.isOver, let port = port ?? board.webSocketPorts.randomElement() else { return }
        connection += 1
        let connection = connection
        if let server, server != port { sendsNoReadUntil = .now() + Self.silence }
        server = port
        hasSentRead = false
        if cursor != nil { board.evidence.resumes += 1 }
        let join = eventLoop.assumeIsolated().scheduleTask(in: Self.joinTime) {
            if connection == self.connection, !self.isJoined { self.ended(connection, nil) }
        }
        open(port: port, connection).assumeIsolated().whenComplete { result in
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

    private func open(port: Int, _ connection: Int) -> EventLoopFuture<any Channel> {
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        let parameters = "roomId=\(room)&userId=\(Self.firstUserID + number)"
        let seq = cursor ?? (readsFromStart ? 0 : nil)
        let mark = board.heedsMarks ? mark : nil
        guard !isStream else {
            // What an `EventSource` does: the address stays the same, and the last ID is sent from the second time on.
            let id = cursor.flatMap { cursor in board.heedsMarks ? lastEventID : String(cursor) }
            return EventStreamClient.connect(
                port: port, path: "/sse/chat?\(parameters)" + (readsFromStart ? "&lastSeq=0" : ""), lastEventID: id,
                on: eventLoop
            ) {
                { me.value.handle($0, connection) }
            }
        }
        var path = "/ws/chat?\(parameters)"
        if let seq { path += "&lastSeq=\(seq)" }
        if let mark, seq ?? 0 > 0 { path += "&lastMark=\(mark)" }
        return ChatWebSocketClient.connect(port: port, path: path, on: eventLoop) {
            { me.value.handle($0, connection) }
        }
    }

    // MARK: Faults

    func cut() {
        channel?.close(promise: nil)
    }

    func reset() -> EventLoopFuture<Void> {
        channel?.resetWithAnswersUnderWay(sendsFrames: !isStream) ?? eventLoop.makeSucceededVoidFuture()
    }

    func stall() -> EventLoopFuture<Void> {
        session.wasStalled = true
        return channel?.stopReading() ?? eventLoop.makeSucceededVoidFuture()
    }

    func goOn() {
        channel?.readOn()
    }

    // MARK: Received frames

    private func handle(_ event: ChatWebSocketClient.Event, _ connection: Int) {
        guard connection == self.connection else { return }
        switch event {
        case .text(let text): take(EventFrame(text))
        case .closed(let code): ended(connection, code)
        }
    }

    private func handle(_ event: EventStreamClient.Event, _ connection: Int) {
        guard connection == self.connection else { return }
        switch event {
        case .message(let text, let id):
            // Kept before the event is taken, as a browser does.
            lastEventID = id.isEmpty ? lastEventID : id
            take(EventFrame(text))
        case .retry(let milliseconds):
            // The first one is the usual time, which would make every cut an absence of 3 s. The last one is how a server
            // says how long to stay away.
            if isJoined { stayAway = .milliseconds(Int64(milliseconds)) }
        case .closed(let code):
            ended(connection, code)
        }
    }

    private func take(_ frame: EventFrame) {
        switch frame.kind {
        case "ready":
            isJoined = true
            backoff.reset()
            headAtStart = frame.seq ?? 0
            if cursor == nil {
                session.start = readsFromStart ? 0 : headAtStart
                cursor = session.start
                mark = session.start > 0 ? frame.mark : nil
                board.progress()
            }
        case "reconnect":
            stayAway = .milliseconds(Int64(frame.afterMilliseconds ?? 0))
        case "caught_up", "typing", "pong", "token_expiring":
            break
        case "read":
            session.receipts.append(
                .init(userID: frame.userID ?? 0, lastReadSeq: frame.lastReadSeq ?? .max, connection: connection))
        case "error" where frame.code == "unavailable" && hasSentRead:
            board.evidence.othersRefused += 1
        case "error":
            board.evidence.oddities["a frame of type error", default: 0] += 1
        default:
            note(frame)
        }
    }

    private func note(_ frame: EventFrame) {
        guard let sighting = frame.sighting else {
            board.evidence.oddities["a frame that is no event", default: 0] += 1
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
        liveEvents += 1
        guard readEvery > 0, liveEvents.isMultiple(of: readEvery), .now() >= sendsNoReadUntil, let channel else {
            return
        }
        hasSentRead = true
        board.evidence.reads += 1
        let frame = ByteBuffer(string: #"{"type":"read","seq":\#(seq)}"#)
        channel.writeAndFlush(ReceivedFrameReader.clientFrame(ReceivedFrame.text, frame), promise: nil)
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
        if code == UInt16(History.lostLogCode), board.heedsMarks { startOver() }
        if let code, !isExpected(code) {
            board.evidence.oddities["a socket closed with \(code)", default: 0] += 1
        }
        let wait = stayAway ?? backoff.next()
        stayAway = nil
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) { self.connect() }
    }

    private func isExpected(_ code: UInt16) -> Bool {
        Self.expectedCodes.contains(code) || board.expectsLogLoss && code == UInt16(History.lostLogCode)
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
