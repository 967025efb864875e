import NIOCore

/// Posts a few messages at once, and the next few when every socket has them all. Lives on the bench's event loop.
final class FanoutTurns {
    private let rooms: [String]
    private let inFlight: Int
    private let end: NIODeadline
    private let board: FanoutBoard
    private let done: EventLoopPromise<Void>
    private let request = PostRequest(caller: .userID(1))
    private let runID = String(UInt32.random(in: 0...UInt32.max), radix: 36)
    private var number = 0

    init(rooms: [String], inFlight: Int, end: NIODeadline, board: FanoutBoard, done: EventLoopPromise<Void>) {
        self.rooms = rooms
        self.inFlight = inFlight
        self.end = end
        self.board = board
        self.done = done
    }

    func run() {
        board.onProgress = { [self] in if board.isComplete { turn() } }
        turn()
    }

    private func turn() {
        guard NIODeadline.now() < end, board.errors.isEmpty else {
            board.onProgress = nil
            return done.succeed()
        }
        board.unanswered += inFlight
        for index in 0..<inFlight {
            number += 1
            let room = number % rooms.count
            let bytes = request.bytes(room: rooms[room], clientMessageID: "\(runID)-\(number)")
            board.posters[index].send(bytes) { [board] response in
                board.unanswered -= 1
                if response?.status == 201 {
                    board.rooms[room].accepted += 1
                } else {
                    board.note(error: "a post failed")
                }
                board.onProgress?()
            }
        }
    }
}
