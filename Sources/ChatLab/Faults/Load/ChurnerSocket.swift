import NIOCore

/// The socket of a churner, opened after its user came into a room. It does not reconnect, since the check is about how
/// it ends. Confined to its event loop.
final class ChurnerSocket {
    /// How long after the leave the client waits for the close. Longer than any bound.
    static let timeout = TimeAmount.seconds(25)
    /// What a server may close it with.
    private static let expectedCodes: Set<Int> = [1000, 1001, 1012, 1013, History.removedCode]

    private let board: LoadBoard
    private let eventLoop: any EventLoop
    private var channel: (any Channel)?
    private var onEnd: (() -> Void)?
    private var isOver = false
    private var hasLeft = false
    private(set) var record: History.Visit
    private var isJoined = false

    init(of userID: Int, in room: String, board: LoadBoard, eventLoop: any EventLoop) {
        self.board = board
        self.eventLoop = eventLoop
        record = History.Visit(room: room, userID: userID, start: 0)
    }

    /// Open, although the user has left.
    var isOverdue: Bool { hasLeft && !isOver }

    func connect() {
        guard let port = board.webSocketPorts.randomElement() else { return }
        let me = NIOLoopBound(self, eventLoop: eventLoop)
        ChatWebSocketClient.connect(
            port: port, path: "/ws/chat?roomId=\(record.room)&userId=\(record.userID)", on: eventLoop
        ) {
            { me.value.handle($0) }
        }.assumeIsolated().whenComplete { result in
            switch result {
            // Nobody would close one that is made after the end of the run.
            case .success(let channel) where self.isOver || self.board.isOver: channel.close(promise: nil)
            case .success(let channel): self.channel = channel
            case .failure: self.isOver = true
            }
        }
    }

    /// To be called before the user asks to leave for the first time. One that is not in the room yet is given up.
    func leaving() {
        guard isJoined else { return cut() }
        record.leaveAsked = NIODeadline.now().uptimeNanoseconds
    }

    /// To be called when the leave is acknowledged; `completion` when the socket has ended.
    func left(then completion: @escaping () -> Void) {
        guard isJoined, !isOver else { return completion() }
        hasLeft = true
        let timeout = eventLoop.assumeIsolated().scheduleTask(in: Self.timeout) { self.cut() }
        onEnd = {
            timeout.cancel()
            completion()
        }
    }

    /// Ends it from this side.
    func cut() {
        guard !isOver else { return }
        over()
        channel?.close(promise: nil)
    }

    private func handle(_ event: ChatWebSocketClient.Event) {
        guard !isOver else { return }
        switch event {
        case .text(let text): take(EventFrame(text))
        case .closed(let code):
            if isJoined {
                record.end = .init(code: code.map(Int.init), at: NIODeadline.now().uptimeNanoseconds)
            }
            if let code = record.end?.code, !Self.expectedCodes.contains(code) {
                board.evidence.violations["a member's socket closed with \(code)", default: 0] += 1
            }
            over()
        }
    }

    private func take(_ frame: EventFrame) {
        switch frame.kind {
        case "ready":
            guard !board.isOver else { return cut() }
            isJoined = true
            record.start = frame.seq ?? 0
            board.visits.append(self)
        case "reconnect", "typing", "read", "pong":
            break
        default:
            guard let sighting = frame.sighting else {
                board.evidence.violations["a frame that is no event", default: 0] += 1
                return
            }
            record.sightings.append(sighting)
        }
    }

    private func over() {
        isOver = true
        onEnd?()
        onEnd = nil
        board.progress()
    }
}
