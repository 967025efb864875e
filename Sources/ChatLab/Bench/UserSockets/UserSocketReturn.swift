import ChatLocalStack
import Foundation
import NIOCore
import NIOPosix

/// One user with many rooms who comes back after events in some of them: bytes, and processor time of the WebSocket
/// server; in turn with another user, whose rooms have long logs.
struct UserSocketReturn: Sendable {
    let rooms: Int
    let missed: Int
    let rounds: Int

    /// One set of returns from the same place.
    private struct Cost {
        /// Bytes of all frames beside those of the missed events.
        var bytes: Double
        var missedBytes: Double
        /// Of one return.
        var processorMilliseconds: Double
        var milliseconds: Double
    }

    private static let userID = 100_001
    private static let changedRooms = 30
    /// Returns that are measured together, since processor time is counted in steps of 10 ms.
    private static let repeats = 10
    private static let bytesBound = 2.0
    private static let millisecondsBound = 100.0
    /// Of long logs. No growth, as far as a machine with other work can show it.
    private static let growthBound = 1.25
    private static let history = 100

    func run(on stack: LocalStack) async throws -> BenchReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var returns: [(rooms: SeededRooms, client: UserSocketVisitor)] = []
        Terminal.print("Making \(rooms) rooms with short logs and as many with long ones …")
        for (number, name) in ["short", "long"].enumerated() {
            let seeded = SeededRooms(postgres: stack.postgres, prefix: name, count: rooms)
            try await seeded.make()
            try await seeded.addMembers(firstUserID: Self.userID + number, users: 1, roomsOfUser: rooms)
            try await seeded.addMessages(number == 0 ? 1 : Self.history, inRooms: 0..<rooms)
            returns.append((seeded, UserSocketVisitor(userID: Self.userID + number, eventLoop: group.next())))
        }
        try await stack.postgres.run(sql: "VACUUM ANALYZE rooms, room_members, messages")
        var report = BenchReport(
            title: "return: \(rooms) rooms of which \(Self.changedRooms) have \(missed) new events", lines: [])
        var costs: [[Cost]] = [[], []]
        for round in 1...rounds {
            Terminal.print("Coming back \(Self.repeats) times, round \(round) …")
            for (index, one) in returns.enumerated() {
                costs[index].append(try await measure(one.client, one.rooms, stack, &report))
            }
        }
        try await group.shutdownGracefully()
        report.lines = lines(costs[0], costs[1])
        let time = Spread(costs[0].map(\.milliseconds)).median
        report.notes = [String(format: "%.0f ms of wall-clock time for a return (median)", time)]
        return report
    }

    private func measure(
        _ client: UserSocketVisitor, _ seeded: SeededRooms, _ stack: LocalStack, _ report: inout BenchReport
    ) async throws -> Cost {
        let server = stack.webSocketServers[0]
        // To be where the log is, before what is missed happens.
        _ = try await client.visit(port: server.port, again: false)
        let each = missed / Self.changedRooms
        try await seeded.addMessages(each, inRooms: 0..<Self.changedRooms)
        let pid = try await server.pid
        var counts = UserSocketClient.Counts()
        // The first one reads what is not in memory yet.
        for warm in [true, false] {
            let used = try ProcessorTime.seconds(ofProcess: pid)
            let begin = ContinuousClock.now
            for _ in 0..<(warm ? 1 : Self.repeats) {
                counts = try await client.visit(port: server.port, again: true)
                report.losses += max(0, each * Self.changedRooms - counts.events)
                report.duplicates += max(0, counts.events - each * Self.changedRooms)
                report.errors.merge(counts.errors, uniquingKeysWith: +)
            }
            guard !warm else { continue }
            let seconds = try ProcessorTime.seconds(ofProcess: pid) - used
            let time = (ContinuousClock.now - begin) / .milliseconds(1)
            return Cost(
                bytes: Double(counts.bytes), missedBytes: Double(max(1, counts.eventBytes)),
                processorMilliseconds: seconds * 1000 / Double(Self.repeats),
                milliseconds: time / Double(Self.repeats))
        }
        throw CancellationError()
    }

    private func lines(_ short: [Cost], _ long: [Cost]) -> [BenchReport.Line] {
        [
            BenchReport.Line(
                "bytes sent for a return", unit: "KB", short.map { $0.bytes / 1000 }, beside: "of the missed events",
                short.map { $0.missedBytes / 1000 }
            ).within(Self.bytesBound),
            BenchReport.Line(
                "processor time of the server for a return", unit: "ms", short.map(\.processorMilliseconds)
            ).within(Self.millisecondsBound),
            BenchReport.Line(
                "the same with \(Self.history) messages in each idle room", unit: "ms",
                long.map(\.processorMilliseconds), beside: "with one", short.map { max(0.1, $0.processorMilliseconds) }
            ).within(Self.growthBound),
        ]
    }
}

/// A client that comes from the same place again and again.
struct UserSocketVisitor: Sendable {
    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<(client: UserSocketClient, kept: UserSocketState)>

    init(userID: Int, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        state = .makeBoxSendingValue(
            (UserSocketClient(userID: userID, eventLoop: eventLoop), UserSocketState()), eventLoop: eventLoop)
    }

    /// Connects, waits until all is live, and disconnects.
    /// - Parameter again: from the place of the last visit without it.
    func visit(port: Int, again: Bool) async throws -> UserSocketClient.Counts {
        let (state, eventLoop) = (state, eventLoop)
        return try await eventLoop.flatSubmit {
            let client = state.value.client
            if again { client.restore(state.value.kept) }
            return client.connect(port: port).assumeIsolated().flatMap {
                if !again { state.value.kept = client.state }
                let counts = client.counts
                return client.disconnect().map { counts }
            }.nonisolated()
        }.get()
    }
}
