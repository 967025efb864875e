import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation

/// `chat-lab bench user-sockets`: one socket for all rooms of a user, beside sockets of one room each.
struct UserSocketsBenchCommand: RepeatedBenchmark {
    /// A part of the bench, on a stack of its own.
    enum Part: String, CaseIterable, ExpressibleByArgument, Sendable {
        case deliveries, memory, `return`, burst
    }

    static let configuration = CommandConfiguration(
        commandName: "user-sockets",
        abstract: "User sockets beside room sockets: deliveries, memory, and returns after an absence.",
        discussion: """
            deliveries: posts at a fixed rate spread over all rooms, then the same deliveries over room sockets. \
            memory: an idle user socket beside an idle room socket, each on a server that has just started. \
            return: a user with many rooms comes back after events in some of them, in turn with one whose rooms have \
            long logs. burst: many users come back at once. Rooms, members and missed messages are written into the \
            database. Figures with a bound are divided by it; the exit status is 0 only if the medians keep theirs.
            """)

    @Argument(help: "Parts by name; all if none is named.")
    var parts: [Part] = []

    @Option(help: "deliveries: user sockets.")
    var sockets = 1000

    @Option(help: "deliveries: rooms of each user.")
    var roomsOfUser = 500

    @Option(help: "deliveries: all rooms.")
    var rooms = 10_000

    @Option(help: "deliveries: messages a second, all rooms together.")
    var rate = 2000

    @Option(help: "deliveries: seconds that are measured, after 2 that are not.")
    var seconds = 10

    @Option(help: "memory: idle sockets of each kind, with 100 rooms each.")
    var idleSockets = 2000

    @Option(help: "return: rooms of the user; 30 of them change.")
    var returnRooms = 2000

    @Option(help: "return: events that are missed.")
    var missed = 3000

    @Option(help: "burst: users who come back at once, with 100 rooms each.")
    var burst = 2000

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...20_000).contains(sockets), (1...100_000).contains(rooms), (1...rooms).contains(roomsOfUser),
            sockets * roomsOfUser >= rooms, sockets * roomsOfUser % rooms == 0, (1...20_000).contains(rate),
            (1...3600).contains(seconds)
        else {
            throw ValidationError(
                "--sockets 1–20000, --rooms 1–100000, --rooms-of-user 1–ROOMS, with equally many members in each room, "
                    + "--rate 1–20000, --seconds 1–3600")
        }
        guard (8...20_000).contains(idleSockets), (100...10_000).contains(returnRooms),
            (30...1_000_000).contains(missed),
            (1...20_000).contains(burst)
        else {
            throw ValidationError(
                "--idle-sockets 8–20000, --return-rooms 100–10000, --missed 30–1000000, --burst 1–20000")
        }
    }

    func measure() async throws -> BenchReport {
        var report = BenchReport(title: "user-sockets: \(options.rounds) rounds", lines: [])
        for part in parts.isEmpty ? Part.allCases : parts {
            Terminal.print("\(part.rawValue):")
            switch part {
            case .deliveries: report.add(try await deliveries())
            case .memory: report.add(try await memory())
            case .return: report.add(try await returns())
            case .burst: report.add(try await bursts())
            }
        }
        return report
    }

    private func deliveries() async throws -> BenchReport {
        let deliveries = UserSocketDeliveries(
            sockets: sockets, roomsOfUser: roomsOfUser, rooms: rooms, rate: rate, seconds: seconds,
            rounds: options.rounds)
        return try await BenchStack.run(authMode: .trusted) { try await deliveries.run(on: $0) }
    }

    private func memory() async throws -> BenchReport {
        let memory = UserSocketMemory(sockets: idleSockets, rounds: options.rounds)
        return try await BenchStack.run(authMode: .trusted) { try await memory.run(on: $0) }
    }

    private func returns() async throws -> BenchReport {
        let returns = UserSocketReturn(rooms: returnRooms, missed: missed, rounds: options.rounds)
        return try await BenchStack.run(authMode: .trusted) { try await returns.run(on: $0) }
    }

    private func bursts() async throws -> BenchReport {
        let burst = UserSocketBurst(users: burst, rounds: options.rounds)
        return try await BenchStack.run(authMode: .trusted) { try await burst.run(on: $0) }
    }
}

extension BenchReport {
    /// Appends another report's figures.
    fileprivate mutating func add(_ other: BenchReport) {
        lines += other.lines
        losses += other.losses
        duplicates += other.duplicates
        errors.merge(other.errors, uniquingKeysWith: +)
        notes.append(([other.title] + other.notes).joined(separator: "; "))
    }
}
