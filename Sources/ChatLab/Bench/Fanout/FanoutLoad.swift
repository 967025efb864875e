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
        /// From when a post was due to its arrival at each socket, and at the last of its room.
        var fromPost = LatencyHistogram()
        var toLastSocket = LatencyHistogram()
        /// From its `PUBLISH` to its arrival at each socket, where that was watched.
        var fromPublish = LatencyHistogram()
    }

    let eventLoop: any EventLoop
    private let rooms: [String]
    private let accessToken: String?
    let board: NIOLoopBoundBox<FanoutBoard>
    /// Connections that posts go out on: one is under way on each at a time.
    private static let posters = 64

    init(eventLoop: any EventLoop, rooms: [String], accessToken: String? = nil) {
        self.eventLoop = eventLoop
        self.rooms = rooms
        self.accessToken = accessToken
        board = .makeBoxSendingValue(FanoutBoard(rooms: rooms.count), eventLoop: eventLoop)
    }

    /// Connects the sockets, some at a time, and waits until each has had its `ready`.
    /// - Parameter lastSeq: where the sockets go on; `nil` for live events only.
    func connect(_ count: Int, port: Int, lastSeq: Int? = nil, atOnce: Int = 64) async throws {
        for first in stride(from: 0, to: count, by: atOnce) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in first..<min(first + atOnce, count) {
                    group.addTask {
                        try await self.connectOne(port: port, room: number % self.rooms.count, lastSeq: lastSeq)
                    }
                }
                for try await _ in group {}
            }
        }
    }

    /// Errors so far, with their number.
    var errors: [String: Int] {
        get async throws { try await eventLoop.submit { [board] in board.value.errors }.get() }
    }

    /// Ends all connections and waits until they are gone here.
    func disconnect() async throws {
        let channels = try await eventLoop.submit { [board] in
            board.value.isDone = true
            return board.value.channels
        }.get()
        for channel in channels { try? await channel.close().get() }
    }

    private func connectOne(port: Int, room: Int, lastSeq: Int?) async throws {
        let ready = eventLoop.makePromise(of: Void.self)
        let board = board
        var path = "/ws/chat?roomId=\(rooms[room])"
        if let accessToken { path += "&access_token=\(accessToken)" }
        if let lastSeq { path += "&lastSeq=\(lastSeq)" }
        let channel = try await ChatWebSocketClient.connect(port: port, path: path, on: eventLoop) {
            let socket = FanoutSocket(room: room, lastSeq: lastSeq, board: board.value, ready: ready)
            return { socket.handle($0) }
        }.flatMapErrorThrowing { error in
            ready.fail(error)
            throw error
        }.get()
        try await ready.futureResult.get()
        try await eventLoop.submit { board.value.channels.append(channel) }.get()
    }

    // MARK: Events published by the caller

    /// The `seq` up to which a room's sockets have everything.
    func head(ofRoom room: Int) async throws -> Int {
        try await eventLoop.submit { [board] in board.value.rooms[room].accepted }.get()
    }

    /// Waits until a room's sockets have `count` more events, at most 15 s.
    /// - Returns: how many deliveries that were.
    func deliver(_ count: Int, inRoom room: Int) async throws -> Int {
        let complete = eventLoop.makePromise(of: Int.self)
        eventLoop.execute { [board, eventLoop] in
            let board = board.value
            board.accept(count, in: room)
            let timeout = eventLoop.assumeIsolated().scheduleTask(in: .seconds(15)) {
                board.note(error: "not delivered in time")
                complete.succeed(0)
            }
            let progress = { [weak board] in
                guard let board, board.isComplete else { return }
                board.onProgress = nil
                timeout.cancel()
                complete.succeed(count * board.rooms[room].sockets)
            }
            board.onProgress = progress
            progress()
        }
        return try await complete.futureResult.get()
    }

    /// The size of the last delivered event as a frame, with its header.
    var frameBytes: Int {
        get async throws { try await eventLoop.submit { [board] in board.value.frameBytes }.get() }
    }

    /// Notes, on the event loop, what a client of Redis publishes.
    var watch: @Sendable (ByteBuffer) -> Void {
        { [board] in board.value.published($0) }
    }

    /// Opens the connections that ``post(rate:warmUp:measured:)`` uses.
    func openPosters(port: Int) async throws {
        let board = board
        for _ in 0..<Self.posters {
            _ = try await ChatHTTPClient.connect(port: port, on: eventLoop) { board.value.posters.append($0) }.get()
        }
    }

    /// Posts at a fixed rate, whatever the answers do, and waits until all sockets have all of it, at most 15 s.
    /// - Parameter rate: messages a second in all rooms together, which get them in turn.
    func post(rate: Int, warmUp: TimeAmount, measured: TimeAmount) async throws -> Outcome {
        let board = board
        let (rooms, eventLoop) = (rooms, eventLoop)
        let done = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            board.value.beginRound()
            let start = NIODeadline.now()
            let schedule = FanoutSchedule(
                rooms: rooms, interval: .nanoseconds(1_000_000_000 / Int64(rate)), start: start,
                measureFrom: start + warmUp, end: start + warmUp + measured, board: board.value)
            schedule.run(on: eventLoop, done: done)
        }
        try await done.futureResult.get()
        return try await eventLoop.submit { board.value.outcome }.get()
    }
}
