import NIOCore

/// The counts of a fanout bench. Confined to the bench's event loop.
final class FanoutBoard {
    struct Room {
        var sockets = 0
        var accepted = 0
        var delivered = 0
    }

    /// A post of the measured time on its way to the sockets.
    struct Passage {
        /// When it was published to Redis; 0 if that was not observed.
        var published: UInt64 = 0
        var arrivals = 0

        /// Notes that one more socket has it.
        /// - Returns: what it is then.
        mutating func arrive() -> Passage {
            arrivals += 1
            return self
        }
    }

    var rooms: [Room]
    var posters: [ChatHTTPClient] = []
    var channels: [any Channel] = []
    /// Whether the bench is over, so that the end of a socket is no error.
    var isDone = false
    /// By the time when the posts were due, which is unique.
    var passages: [UInt64: Passage] = [:]
    var fromPost = LatencyHistogram()
    var toLastSocket = LatencyHistogram()
    var fromPublish = LatencyHistogram()
    var duplicates = 0
    /// The size of the last delivered event as a frame, with its header.
    var frameBytes = 0
    var errors: [String: Int] = [:]
    /// All rooms before it have what they are to have: ten thousand are not looked at after every delivery.
    private var firstIncomplete = 0
    /// Posts that have not been answered yet.
    var unanswered = 0
    /// Called after each delivery and each answer when posting has ended.
    var onProgress: (() -> Void)?

    init(rooms: Int) {
        self.rooms = Array(repeating: Room(), count: rooms)
    }

    /// Whether every accepted post has been answered and delivered.
    var isComplete: Bool {
        guard unanswered == 0 else { return false }
        while firstIncomplete < rooms.count {
            let room = rooms[firstIncomplete]
            guard room.delivered >= room.accepted * room.sockets else { return false }
            firstIncomplete += 1
        }
        return true
    }

    /// Notes posts that are to be delivered.
    func accept(_ count: Int, in room: Int) {
        rooms[room].accepted += count
        firstIncomplete = min(firstIncomplete, room)
    }

    /// Resets the counts.
    func beginRound() {
        onProgress = nil
        firstIncomplete = 0
        for room in rooms.indices {
            rooms[room].accepted = 0
            rooms[room].delivered = 0
        }
        passages = [:]
        (fromPost, toLastSocket, fromPublish) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        duplicates = 0
    }

    /// Notes that a post is being published. To be called with each command that a client sends to Redis.
    func published(_ command: ByteBuffer) {
        guard let sent = FrameFields(command).sentNanos, sent > 0 else { return }
        passages[sent, default: Passage()].published = NIODeadline.now().uptimeNanoseconds
    }

    func arrived(_ sent: UInt64, in room: Int) {
        let now = NIODeadline.now().uptimeNanoseconds
        fromPost.record(nanoseconds: now > sent ? now - sent : 0)
        let passage = passages[sent, default: Passage()].arrive()
        if passage.published > 0 { fromPublish.record(nanoseconds: now - passage.published) }
        if passage.arrivals == rooms[room].sockets { toLastSocket.record(nanoseconds: now > sent ? now - sent : 0) }
    }

    var outcome: FanoutLoad.Outcome {
        let due = rooms.reduce(0) { $0 + $1.accepted * $1.sockets }
        let delivered = rooms.reduce(0) { $0 + $1.delivered }
        return FanoutLoad.Outcome(
            accepted: rooms.reduce(0) { $0 + $1.accepted }, delivered: delivered, losses: max(0, due - delivered),
            duplicates: duplicates, fromPost: fromPost, toLastSocket: toLastSocket, fromPublish: fromPublish)
    }

    func note(error: String) {
        errors[error, default: 0] += 1
    }
}

/// One socket of a fanout bench: every event must be the next of its room.
final class FanoutSocket {
    private let room: Int
    private let board: FanoutBoard
    private let ready: EventLoopPromise<Void>
    private let lastSeq: Int?
    private var cursor: Int?

    init(room: Int, lastSeq: Int?, board: FanoutBoard, ready: EventLoopPromise<Void>) {
        self.room = room
        self.lastSeq = lastSeq
        self.board = board
        self.ready = ready
    }

    func handle(_ event: ChatWebSocketClient.Event) {
        switch event {
        case .text(let text): take(FrameFields(text), bytes: text.readableBytes)
        case .closed(let code):
            let reason = "socket closed with \(code.map(String.init) ?? "no code")"
            ready.fail(ChatWebSocketClient.Refused(description: reason))
            // At the end of the bench the stack is stopped with the sockets still open.
            if !board.isDone, board.onProgress == nil || !board.isComplete { board.note(error: reason) }
        }
    }

    private func take(_ fields: FrameFields, bytes: Int) {
        guard let seq = fields.seq else { return }
        // The first frame is `ready`, with the room's head.
        guard let cursor else {
            self.cursor = lastSeq ?? seq
            board.rooms[room].sockets += 1
            return ready.succeed()
        }
        guard seq > cursor else {
            board.duplicates += 1
            return
        }
        if seq > cursor + 1 { board.note(error: "gap in what a socket got") }
        self.cursor = seq
        board.rooms[room].delivered += 1
        board.frameBytes = bytes + (bytes > 125 ? 4 : 2)
        if let sent = fields.sentNanos, sent > 0 { board.arrived(sent, in: room) }
        board.onProgress?()
    }
}
