import NIOCore

/// Posts at a fixed rate into the rooms, each of them equally often. A post's time counts from when it was due, not from when
/// it went out, so a stall is felt by all that were due in it (no "coordinated omission").
final class FanoutSchedule {
    private let rooms: [String]
    private let order: SpreadOrder
    private let requests: [PostCall]
    private let interval: TimeAmount
    private let measureFrom: NIODeadline
    private let end: NIODeadline
    private let board: FanoutBoard
    private let runID = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    private var due: NIODeadline
    private var number = 0

    init(
        rooms: [String], interval: TimeAmount, start: NIODeadline, measureFrom: NIODeadline, end: NIODeadline,
        board: FanoutBoard
    ) {
        self.rooms = rooms
        order = SpreadOrder(count: rooms.count)
        requests = (1...8).map { PostCall(caller: .userID($0)) }
        self.interval = interval
        self.measureFrom = measureFrom
        self.end = end
        self.board = board
        due = start
    }

    /// To be called on the event loop. `done` succeeds when all is delivered, or 15 s after the end.
    func run(on eventLoop: any EventLoop, done: EventLoopPromise<Void>) {
        while due <= .now(), due < end {
            post(to: order[number])
            due = due + interval
        }
        guard due >= end else {
            eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.run(on: eventLoop, done: done) }
            return
        }
        let progress = { [board] in if board.isComplete { done.succeed() } }
        board.onProgress = progress
        progress()
        eventLoop.scheduleTask(in: .seconds(15)) { done.succeed() }
    }

    private func post(to room: Int) {
        number += 1
        let sent = due >= measureFrom ? due.uptimeNanoseconds : 0
        let request = requests[number % requests.count].bytes(
            room: rooms[room], clientMessageID: "\(runID)-\(number)", extra: #","\#(FrameFields.sentName)":\#(sent)"#)
        board.unanswered += 1
        board.posters[number % board.posters.count].send(request) { [board] response in
            board.unanswered -= 1
            if response?.status == 201 {
                board.accept(1, in: room)
            } else {
                board.note(error: response.map { "HTTP \($0.status)" } ?? "connection closed")
            }
            board.onProgress?()
        }
    }
}

/// Goes through `count` things again and again, with others between neighbours. The rooms of a user are neighbours: one after
/// the other they would give a burst to the same sockets, and then nothing for a while.
struct SpreadOrder {
    private let count: Int
    private let step: Int

    /// - Parameter count: at least 1.
    init(count: Int) {
        self.count = count
        // Steps of the golden section of the whole leave no large gaps; the nearest one that passes over nothing.
        var step = max(1, Int(Double(count) * 0.618))
        while !Self.isCoprime(step, count) { step += 1 }
        self.step = step
    }

    subscript(number: Int) -> Int { number % count * step % count }

    private static func isCoprime(_ one: Int, _ other: Int) -> Bool {
        var (one, other) = (one, other)
        while other > 0 { (one, other) = (other, one % other) }
        return one == 1
    }
}
