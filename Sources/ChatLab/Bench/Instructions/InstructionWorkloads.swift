import ChatLocalStack
import Foundation
import NIOCore

/// Fixed workloads on servers whose instructions are counted.
struct InstructionWorkloads: Sendable {
    let stack: LocalStack
    let turns: FanoutTurns
    let eventLoop: any EventLoop
    let callgrind: Callgrind

    private static let turnsOfDelivery = 50
    private static let posts = 240
    private static let connects = 100
    private static let quiet = Duration.seconds(2)

    private static let connect = "connect"
    private static func delivery(_ inFlight: Int) -> String { "delivery, \(inFlight) in flight" }
    private static func post(_ clients: Int) -> String { "post, \(clients) at a time" }

    /// Requests under way at once.
    private static let company = [1, 16]

    /// The names of all workloads.
    static let names = [connect] + company.map(delivery) + company.map(post)

    /// - Returns: the instructions of one delivery, post and connect.
    func run() async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        let webSocketServer = try await idling(.webSocket)
        for inFlight in Self.company {
            counts[Self.delivery(inFlight)] = try await count(webSocketServer) {
                var deliveries = 0
                for _ in 0..<Self.turnsOfDelivery {
                    deliveries += try await turns.run(inFlight: inFlight, inRoom: 0)
                }
                return deliveries
            }
        }
        counts[Self.connect] = try await count(webSocketServer) {
            let load = FanoutLoad(eventLoop: eventLoop, rooms: turns.rooms)
            try await load.connect(Self.connects, port: stack.webSocketServers[0].port, atOnce: 1)
            try await load.disconnect()
            return Self.connects
        }
        let messageServer = try await idling(.message)
        for clients in Self.company {
            counts[Self.post(clients)] = try await count(messageServer) {
                try await post(clients: clients)
                return Self.posts
            }
        }
        return counts
    }

    // MARK: Counting

    /// A server and its instructions without load, which depend on time and are subtracted.
    private struct Idling {
        let kind: ServerKind
        let pid: pid_t
        let instructionsPerSecond: Double
    }

    private func idling(_ kind: ServerKind) async throws -> Idling {
        let pid = try await (kind == .message ? stack.messageServers : stack.webSocketServers)[0].pid
        let (instructions, seconds) = try await timed(kind, pid) { try await Task.sleep(for: Self.quiet) }
        return Idling(kind: kind, pid: pid, instructionsPerSecond: instructions / seconds)
    }

    private func count(_ server: Idling, _ workload: () async throws -> Int) async throws -> Int {
        var operations = 0
        let (instructions, seconds) = try await timed(server.kind, server.pid) { operations = try await workload() }
        return Int((instructions - server.instructionsPerSecond * seconds) / Double(max(1, operations)))
    }

    private func timed(
        _ kind: ServerKind, _ pid: pid_t, _ work: () async throws -> Void
    ) async throws -> (instructions: Double, seconds: Double) {
        let start = ContinuousClock.now
        let instructions = try await callgrind.count(kind, pid, while: work)
        return (Double(instructions), (ContinuousClock.now - start) / .seconds(1))
    }

    /// Posts into rooms without sockets, so that the WebSocket server takes no part.
    private func post(clients: Int) async throws {
        let posting = PostClients(
            port: stack.messageServers[0].port,
            clients: (0..<clients).map { client in
                PostClients.Client(
                    caller: .userID(client + 1), room: "instructions-\(client % 4)", prefix: "\(UUID().uuidString)-")
            }, limit: Self.posts / clients)
        let outcome = try await posting.run(measured: .now()..<(.now() + .minutes(1)))
        guard outcome.errors.isEmpty, outcome.accepted.count == Self.posts / clients * clients else {
            throw LocalStackError("Not all posts were accepted: \(outcome.errors)")
        }
    }
}
