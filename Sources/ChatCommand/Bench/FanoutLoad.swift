import ChatLocalStack
import NIOCore

/// The fanout bench: sockets and posters on one event loop, so that nothing in it needs a lock and both ends of a
/// delivery read the same clock.
final class FanoutLoad: Sendable {
    struct Outcome: Sendable {
        var accepted = 0
        var delivered = 0
        var losses = 0
        var duplicates = 0
        var latency = LatencyHistogram()
        var errors: [String: Int] = [:]
    }

    private let eventLoop: any EventLoop
    private let rooms: [String]
    private let board: NIOLoopBoundBox<FanoutBoard>
    private static let posters = 8

    init(eventLoop: any EventLoop, rooms: [String]) {
        self.eventLoop = eventLoop
        self.rooms = rooms
        board = .makeBoxSendingValue(FanoutBoard(rooms: rooms.count), eventLoop: eventLoop)
    }

    /// Connects the sockets, some at a time, and waits until each has had its `ready`.
    func connect(_ count: Int, port: Int) async throws {
        let atOnce = 64
        for first in stride(from: 0, to: count, by: atOnce) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in first..<min(first + atOnce, count) {
                    group.addTask { try await self.connectOne(port: port, room: number % self.rooms.count) }
                }
                for try await _ in group {}
            }
        }
    }

    /// What went wrong so far.
    var errors: [String: Int] {
        get async throws { try await eventLoop.submit { [board] in board.value.errors }.get() }
    }

    private func connectOne(port: Int, room: Int) async throws {
        let ready = eventLoop.makePromise(of: Void.self)
        let board = board
        _ = try await ChatWebSocketClient.connect(
            port: port, path: "/ws/chat?roomId=\(rooms[room])", on: eventLoop
        ) {
            let socket = FanoutSocket(room: room, board: board.value, ready: ready)
            return { socket.handle($0) }
        }.flatMapErrorThrowing { error in
            ready.fail(error)
            throw error
        }.get()
        try await ready.futureResult.get()
    }

    /// Posts so many messages at once and the next ones when every socket has those, for so long.
    /// - Returns: how many events were delivered, and their size as frames in bytes.
    func postInTurns(port: Int, inFlight: Int, for time: TimeAmount) async throws -> (deliveries: Int, bytes: Int) {
        let board = board
        let missing = try await eventLoop.submit { max(0, inFlight - board.value.posters.count) }.get()
        for _ in 0..<missing {
            _ = try await ChatHTTPClient.connect(port: port, on: eventLoop) { board.value.posters.append($0) }.get()
        }
        let before = try await eventLoop.submit { board.value.outcome.delivered }.get()
        let (rooms, eventLoop) = (rooms, eventLoop)
        let done = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            FanoutTurns(rooms: rooms, inFlight: inFlight, end: .now() + time, board: board.value, done: done).run()
        }
        try await done.futureResult.get()
        return try await eventLoop.submit {
            (board.value.outcome.delivered - before, board.value.frameBytes)
        }.get()
    }

    /// Posts at a fixed rate, whatever the answers do, and waits until all sockets have all of it, at most 15 s.
    func post(port: Int, ratePerRoom: Int, warmUp: TimeAmount, measured: TimeAmount) async throws -> Outcome {
        let board = board
        for _ in 0..<Self.posters {
            _ = try await ChatHTTPClient.connect(port: port, on: eventLoop) { board.value.posters.append($0) }.get()
        }
        let (rooms, eventLoop) = (rooms, eventLoop)
        let done = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            let start = NIODeadline.now()
            let schedule = FanoutSchedule(
                rooms: rooms, interval: .nanoseconds(1_000_000_000 / Int64(ratePerRoom)), start: start,
                measureFrom: start + warmUp, end: start + warmUp + measured, board: board.value)
            schedule.run(on: eventLoop, done: done)
        }
        try await done.futureResult.get()
        return try await eventLoop.submit { board.value.outcome }.get()
    }
}
