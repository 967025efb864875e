import CommonUtil
import NIOCore

/// The connection of a session that connects again after every end. Confined to its event loop. Its closures do not hold the
/// session, which the board keeps for as long as a run takes.
final class FaultConnection {
    /// The codes with which a server may close a well-behaved socket.
    static let expectedCodes: Set<UInt16> = [1000, 1001, 1012, 1013]
    private static let joinTime = TimeAmount.seconds(10)
    /// How long no `read` is sent after it came to another server: the server before may hold back its last one for a
    /// second, and there is no order between two servers.
    private static let silence = TimeAmount.seconds(3)

    private let port: Int?
    private let readEvery: Int
    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private(set) var channel: (any Channel)?
    /// Counts the connections, so that what comes late from one is not taken for the next one's.
    private(set) var number = 0
    private(set) var isJoined = false
    /// Whether a `read` was sent on this connection, which may be answered with an error.
    private(set) var hasSentRead = false
    /// How long the server asked to stay away.
    var stayAway: Duration?
    private var backoff = Backoff(first: .milliseconds(50), longest: .seconds(1))
    private var server: Int?
    private var sendsNoReadUntil = NIODeadline.uptimeNanoseconds(0)
    private var liveEvents = 0
    /// Connects to a port, for the connection of this number; `nil` once there is no session any more.
    var open: (_ port: Int, _ number: Int) -> EventLoopFuture<any Channel>? = { _, _ in nil }
    /// Called with the code of a close frame, before the next connection.
    var onEnd: (_ code: UInt16?) -> Void = { _ in }
    /// Whether it does not connect for now.
    var isAway = false

    /// - Parameters:
    ///   - port: the server that it keeps to; nil for any.
    ///   - readEvery: live events from one `read` to the next; 0 for none.
    init(port: Int?, readEvery: Int, board: LoadBoard, eventLoop: any EventLoop) {
        self.port = port
        self.readEvery = readEvery
        self.board = board
        self.eventLoop = eventLoop
    }

    func connect() {
        guard !board.isOver, !isAway, let port = port ?? board.webSocketPorts.randomElement() else { return }
        number += 1
        let number = number
        if let server, server != port { sendsNoReadUntil = .now() + Self.silence }
        server = port
        hasSentRead = false
        guard let opened = open(port, number) else { return }
        let join = eventLoop.assumeIsolated().scheduleTask(in: Self.joinTime) {
            if number == self.number, !self.isJoined { self.ended(number, nil) }
        }
        opened.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                // Nobody would close one that is made after the end of the run.
                guard number == self.number, !self.board.isOver else { return channel.close(promise: nil) }
                self.channel = channel
            case .failure:
                join.cancel()
                self.ended(number, nil)
            }
        }
    }

    /// The server has let the session in.
    func joined() {
        isJoined = true
        backoff.reset()
    }

    /// Takes the end of a connection, and connects again after a pause.
    func ended(_ number: Int, _ code: UInt16?) {
        // The end is reported by the connection and by the attempt to make it.
        guard number == self.number else { return }
        self.number += 1
        channel?.close(promise: nil)
        channel = nil
        guard !board.isOver else { return }
        if isJoined || code != nil {
            board.evidence.closes[code.map(String.init) ?? "none", default: 0] += 1
        } else {
            board.evidence.unreached += 1
        }
        isJoined = false
        onEnd(code)
        let wait = stayAway ?? backoff.next()
        stayAway = nil
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) { self.connect() }
    }

    /// Counts a live event.
    /// - Returns: whether a `read` is due, and may be sent.
    func isReadDue() -> Bool {
        liveEvents += 1
        guard readEvery > 0, liveEvents.isMultiple(of: readEvery), .now() >= sendsNoReadUntil else { return false }
        return true
    }

    /// Notes that a `read` is sent.
    func sendsRead() {
        hasSentRead = true
        board.evidence.reads += 1
    }

    // MARK: Faults

    func cut() { channel?.close(promise: nil) }

    func reset(sendsFrames: Bool = true) -> EventLoopFuture<Void> {
        channel?.resetWithAnswersUnderWay(sendsFrames: sendsFrames) ?? eventLoop.makeSucceededVoidFuture()
    }

    func stall() -> EventLoopFuture<Void> { channel?.stopReading() ?? eventLoop.makeSucceededVoidFuture() }

    func goOn() { channel?.readOn() }
}
