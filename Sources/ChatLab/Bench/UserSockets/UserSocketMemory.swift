import ChatLocalStack
import Foundation
import NIOCore
import NIOPosix

/// Resident memory of the WebSocket server for an idle user socket, beside an idle room socket.
///
/// Each kind has a server that has just started in each round, since memory that was in use once is not given back.
struct UserSocketMemory: Sendable {
    let sockets: Int
    let rounds: Int

    private typealias Sizes = (none: Int, quarter: Int, all: Int)

    static let roomsOfUser = 100
    private static let rooms = 1000
    private static let firstUserID = 100_001
    private static let prefix = "bench"
    /// The contract's bound beside a room socket.
    private static let ratio = 4.0
    /// After the timers of the handshakes, and before the first pings.
    private static let settling = Duration.seconds(3)

    func run(on stack: LocalStack) async throws -> BenchReport {
        let seeded = SeededRooms(postgres: stack.postgres, prefix: Self.prefix, count: Self.rooms)
        try await seeded.make()
        try await seeded.addMembers(firstUserID: Self.firstUserID, users: sockets, roomsOfUser: Self.roomsOfUser)
        try await seeded.addMessages(1, inRooms: 0..<Self.rooms)
        try await stack.postgres.run(sql: "ANALYZE rooms, room_members, messages")

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var users: [Sizes] = []
        var plain: [Sizes] = []
        var errors: [String: Int] = [:]
        for round in 1...rounds {
            Terminal.print("Connecting \(sockets) sockets of each kind, round \(round) …")
            for isUser in [true, false] {
                let server = stack.webSocketServers[0]
                try await server.stop()
                try await server.start()
                let load = FanoutLoad(eventLoop: group.next(), rooms: seeded.names)
                let sizes = try await measure(load, isUser: isUser, port: server.port, pid: try await server.pid)
                if isUser { users.append(sizes) } else { plain.append(sizes) }
                errors.merge(try await load.errors, uniquingKeysWith: +)
                try await load.disconnect()
            }
        }
        try await group.shutdownGracefully()
        return report(users, plain, errors)
    }

    private func measure(_ load: FanoutLoad, isUser: Bool, port: Int, pid: pid_t) async throws -> Sizes {
        func connect(_ range: Range<Int>) async throws -> Int {
            if isUser {
                try await load.connectUsers(
                    range, firstUserID: Self.firstUserID, roomsOfUser: Self.roomsOfUser, rooms: Self.rooms,
                    prefix: Self.prefix, port: port)
            } else {
                try await load.connect(range.count, port: port)
            }
            try await Task.sleep(for: Self.settling)
            return try ProcessMemory.residentKibibytes(of: pid)
        }
        let none = try ProcessMemory.residentKibibytes(of: pid)
        let quarter = try await connect(0..<sockets / 4)
        return (none, quarter, try await connect(sockets / 4..<sockets))
    }

    private func report(_ users: [Sizes], _ plain: [Sizes], _ errors: [String: Int]) -> BenchReport {
        func kilobytes(_ kibibytes: Int, _ count: Int) -> Double { Double(kibibytes) * 1.024 / Double(count) }
        // The slope leaves out what a server makes once, and the rooms.
        func slope(_ sizes: [Sizes]) -> [Double] {
            sizes.map { kilobytes($0.all - $0.quarter, sockets - sockets / 4) }
        }
        return BenchReport(
            title: "memory: \(sockets) idle sockets of each kind, \(Self.roomsOfUser) of \(Self.rooms) rooms a user",
            lines: [
                BenchReport.Line(
                    "memory of a further user socket with \(Self.roomsOfUser) rooms", unit: "KB", slope(users),
                    beside: "a further room socket", slope(plain)
                ).within(Self.ratio),
                .init(
                    "resident with \(sockets) user sockets", unit: "MB", users.map { kilobytes($0.all, 1000) },
                    beside: "with as many room sockets", plain.map { kilobytes($0.all, 1000) }),
            ], errors: errors)
    }
}
