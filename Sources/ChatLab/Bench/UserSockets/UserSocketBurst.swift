import ChatLocalStack
import Foundation
import NIOCore
import NIOPosix

/// Many users who come back at once, each with its rooms, after a message in a tenth of the rooms.
struct UserSocketBurst: Sendable {
    let users: Int
    let rounds: Int

    private static let roomsOfUser = 100
    private static let firstUserID = 100_001
    private static let secondsBound = 10.0
    private static let connectsAtOnce = 64

    /// Twice as many rooms as users, so that a room has 50 members.
    private var rooms: Int { max(Self.roomsOfUser, users * 2) }
    private var changedRooms: Int { rooms / 10 }

    func run(on stack: LocalStack) async throws -> BenchReport {
        let seeded = SeededRooms(postgres: stack.postgres, prefix: "bench", count: rooms)
        try await seeded.make()
        try await seeded.addMembers(firstUserID: Self.firstUserID, users: users, roomsOfUser: Self.roomsOfUser)
        try await seeded.addMessages(1, inRooms: 0..<rooms)
        try await stack.postgres.run(sql: "VACUUM ANALYZE rooms, room_members, messages")

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let clients: NIOLoopBoundBox<[UserSocketClient]> = .makeBoxSendingValue(
            (0..<users).map { UserSocketClient(userID: Self.firstUserID + $0, eventLoop: eventLoop) },
            eventLoop: eventLoop)
        let server = stack.webSocketServers[0]
        Terminal.print("Connecting \(users) user sockets for the first time …")
        for first in stride(from: 0, to: users, by: Self.connectsAtOnce) {
            try await connect(clients, first..<min(first + Self.connectsAtOnce, users), server.port, eventLoop)
        }
        var report = BenchReport(
            title: "burst: \(users) users × \(Self.roomsOfUser) of \(rooms) rooms, a message in \(changedRooms)",
            lines: [])
        var seconds: [Double] = []
        var processorSeconds: [Double] = []
        for round in 1...rounds {
            try await disconnect(clients, eventLoop, &report)
            try await seeded.addMessages(1, inRooms: 0..<changedRooms)
            Terminal.print("All come back, round \(round) …")
            let pid = try await server.pid
            let used = try ProcessorTime.seconds(ofProcess: pid)
            let begin = ContinuousClock.now
            try await connect(clients, 0..<users, server.port, eventLoop)
            seconds.append((ContinuousClock.now - begin) / .seconds(1))
            processorSeconds.append(try ProcessorTime.seconds(ofProcess: pid) - used)
            let due = (0..<users).reduce(0) { $0 + changedRooms(of: $1) }
            let got = try await eventLoop.submit { clients.value.reduce(0) { $0 + $1.counts.events } }.get()
            report.losses += max(0, due - got)
            report.duplicates += max(0, got - due)
        }
        try await disconnect(clients, eventLoop, &report)
        try await group.shutdownGracefully()
        report.lines = [
            BenchReport.Line("time for all to be live in all rooms", unit: "s", seconds).within(Self.secondsBound),
            .init("processor time of the server", unit: "s", processorSeconds),
        ]
        return report
    }

    /// How many of the user's rooms have a message.
    private func changedRooms(of number: Int) -> Int {
        (0..<Self.roomsOfUser).count { (number * Self.roomsOfUser + $0) % rooms < changedRooms }
    }

    private func connect(
        _ clients: NIOLoopBoundBox<[UserSocketClient]>, _ range: Range<Int>, _ port: Int, _ eventLoop: any EventLoop
    ) async throws {
        try await eventLoop.flatSubmit {
            EventLoopFuture.andAllSucceed(clients.value[range].map { $0.connect(port: port) }, on: eventLoop)
        }.get()
    }

    private func disconnect(
        _ clients: NIOLoopBoundBox<[UserSocketClient]>, _ eventLoop: any EventLoop, _ report: inout BenchReport
    ) async throws {
        let errors = try await eventLoop.submit {
            clients.value.reduce(into: [:]) { $0.merge($1.counts.errors, uniquingKeysWith: +) }
        }.get()
        report.errors.merge(errors, uniquingKeysWith: +)
        try await eventLoop.flatSubmit {
            EventLoopFuture.andAllSucceed(clients.value.map { $0.disconnect() }, on: eventLoop)
        }.get()
    }
}
