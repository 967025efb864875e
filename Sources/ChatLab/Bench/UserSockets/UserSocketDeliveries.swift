import ChatLocalStack
import Foundation
import NIOCore
import NIOPosix

/// Posts at a fixed rate spread over the rooms of user sockets, then as many deliveries over room sockets.
struct UserSocketDeliveries: Sendable {
    /// User sockets, and room sockets.
    let sockets: Int
    let roomsOfUser: Int
    let rooms: Int
    let rate: Int
    let seconds: Int
    let rounds: Int

    private static let firstUserID = 100_001
    private static let prefix = "bench"
    /// The contract's bound of the 99th percentile beside that of room sockets.
    private static let ratio = 1.5

    /// Members of a room, to each of whom a message is delivered.
    private var membersOfRoom: Int { sockets * roomsOfUser / rooms }

    func run(on stack: LocalStack) async throws -> BenchReport {
        let seeded = SeededRooms(postgres: stack.postgres, prefix: Self.prefix, count: rooms)
        Terminal.print("Making \(rooms) rooms with \(membersOfRoom) members each …")
        try await seeded.make()
        try await seeded.addMembers(firstUserID: Self.firstUserID, users: sockets, roomsOfUser: roomsOfUser)
        try await stack.postgres.run(sql: "ANALYZE rooms, room_members")

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let ours = FanoutLoad(eventLoop: group.next(), rooms: seeded.names)
        let plainRooms = (0..<max(1, sockets / membersOfRoom)).map { "plain-\($0)" }
        let plain = FanoutLoad(eventLoop: group.next(), rooms: plainRooms)
        let port = stack.webSocketServers[0].port
        Terminal.print("Connecting \(sockets) user sockets and as many room sockets …")
        let begin = ContinuousClock.now
        try await ours.connectUsers(
            0..<sockets, firstUserID: Self.firstUserID, roomsOfUser: roomsOfUser, rooms: rooms, prefix: Self.prefix,
            port: port)
        let connecting = (ContinuousClock.now - begin) / .seconds(1)
        try await plain.connect(plainRooms.count * membersOfRoom, port: port)

        var results: [(ours: PostedRounds.Round, plain: PostedRounds.Round)] = []
        for round in 1...rounds {
            Terminal.print("Posting, round \(round) …")
            let isFirst = round == 1
            results.append((try await post(ours, stack, isFirst), try await post(plain, stack, isFirst)))
        }
        let errors = try await ours.errors.merging(plain.errors, uniquingKeysWith: +)
        for load in [ours, plain] { try await load.disconnect() }
        try await group.shutdownGracefully()
        return report(results, connecting: connecting, errors: errors)
    }

    private func post(_ load: FanoutLoad, _ stack: LocalStack, _ isFirst: Bool) async throws -> PostedRounds.Round {
        // Not before it is their turn: a server closes new connections that send nothing for ten seconds.
        if isFirst { try await load.openPosters(port: stack.messageServers[0].port) }
        // Long enough for a message in each room: the first one after a pause costs more than those that follow.
        let warmUp = TimeAmount.seconds(2 + Int64(rooms / rate))
        return try await PostedRounds(load: load, stack: stack, rate: rate, seconds: seconds, warmUp: warmUp).run()
    }

    private func report(
        _ results: [(ours: PostedRounds.Round, plain: PostedRounds.Round)], connecting: Double, errors: [String: Int]
    ) -> BenchReport {
        let (ours, plain) = (results.map(\.ours), results.map(\.plain))
        let beside = "as many deliveries over room sockets"
        func line(_ quantile: Double) -> BenchReport.Line {
            .init(
                String(format: "post to each user socket, p%g", quantile * 100), unit: "ms",
                ours.milliseconds(quantile, \.fromPost), beside: beside, plain.milliseconds(quantile, \.fromPost))
        }
        func cost(_ rounds: [PostedRounds.Round]) -> [Double] {
            rounds.map { $0.webSocketServer / Double(max(1, $0.outcome.delivered)) * 1e6 }
        }
        let title =
            "deliveries: \(sockets) user sockets × \(roomsOfUser) of \(rooms) rooms, \(rate) messages/s, "
            + "\(rate * membersOfRoom) deliveries/s"
        var report = (ours + plain).report(
            title,
            [
                line(0.5), line(0.99).within(Self.ratio),
                .init("processor time of a delivery", unit: "µs", cost(ours), beside: beside, cost(plain)),
            ], errors: errors)
        report.notes.append(String(format: "%.1f s for the user sockets to connect, 64 at a time", connecting))
        return report
    }
}
