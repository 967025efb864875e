import CommonUtil
import Glibc
import NIOCore

/// One session that reconnects after every end with the `seq` of its last event, and records each event. Confined to its
/// event loop.
///
/// Every `readEvery` live events it sends a `read`.
final class FaultReader {
    private static let joinTime = TimeAmount.seconds(10)
    private static let framesBeforeReset = 20
    /// The codes with which a server may close a well-behaved socket.
    private static let expectedCodes: Set<UInt16> = [1000, 1001, 1012, 1013]
    /// How long it sends no `read` after it came to another server: the server before may hold back its last one for a
    /// second, and there is no order between two servers.
    private static let silence = TimeAmount.seconds(3)

    let room: String
    private let number: Int
    private let port: Int?
    private let readEvery: Int
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

    /// - Parameter port: the server that it keeps to; nil for any.
    init(number: Int, room: String, port: Int?, readEvery: Int, board: LoadBoard, eventLoop: any EventLoop) {
        self.number = number
        self.room = room
        self.port = port
        self.readEvery = readEvery
        self.board = board
        self.eventLoop = eventLoop
        readsFromStart = number.isMultiple(of: 2)
        session = History.Session(name: "session \(number)", room: room, start: 0)
    }

    func connect() {
        guard !board.isOver, let port = port ?? board.webSocketPorts.randomElement() else { return }
        connection += 1
        let connection = connection
        if let server, server != port { sendsNoReadUntil = .now() + Self.silence }
        server = port
        hasSentRead = false
        var path = "/ws/chat?roomId=\(room)&userId=\(1000 + number)"
        if let resumeFrom = cursor ?? (readsFromStart ? 0 : nil) { path += "&lastSeq=\(resumeFrom)" }
        if cursor != nil { board.evidence.resumes += 1 }
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        let join = eventLoop.assumeIsolated().scheduleTask(in: Self.joinTime) {
            if connection == self.connection, !self.isJoined { self.ended(connection, nil) }
        }
        ChatWebSocketClient.connect(port: port, path: path, on: eventLoop) {
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

    /// Ends the connection without a close frame, as a lost network does.
    func cut() {
        channel?.close(promise: nil)
    }

    /// Sends frames that are answered and resets the connection without reading the answers, as a browser does whose tab
    /// is closed. The server learns of it in the middle of a write.
    /// - Returns: succeeds when the connection is gone, whatever came of it.
    func reset() -> EventLoopFuture<Void> {
        guard let channel else { return eventLoop.makeSucceededVoidFuture() }
        let frames = [
            (ReceivedFrame.ping, "ping"), (ReceivedFrame.text, #"{"type":"ping"}"#),
            (ReceivedFrame.text, "nonsense"),
        ].map { ReceivedFrameReader.clientFrame($0, ByteBuffer(string: $1)) }
        for _ in 1...Self.framesBeforeReset {
            for frame in frames { channel.write(frame, promise: nil) }
        }
        // With this the kernel sends RST instead of FIN (socket(7), SO_LINGER).
        let willReset = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        return (willReset ?? eventLoop.makeSucceededVoidFuture()).flatMap {
            channel.flush()
            return channel.close()
        }.flatMapErrorThrowing { _ in }
    }

    /// Stops reading, with a small receive buffer.
    func stall() -> EventLoopFuture<Void> {
        session.wasStalled = true
        guard let channel else { return eventLoop.makeSucceededVoidFuture() }
        return channel.setOption(.socketOption(.so_rcvbuf), value: 64 * 1024).flatMap {
            channel.setOption(.autoRead, value: false)
        }
    }

    func goOn() {
        channel?.setOption(.autoRead, value: true).whenSuccess { [channel] in channel?.read() }
    }

    // MARK: Received frames

    private func handle(_ event: ChatWebSocketClient.Event, _ connection: Int) {
        guard connection == self.connection else { return }
        switch event {
        case .text(let text): take(EventFrame(text))
        case .closed(let code): ended(connection, code)
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
        if code == UInt16(History.lostLogCode) { startOver() }
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
        board.progress()
    }
}
