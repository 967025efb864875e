import ChatLocalStack
import Foundation
import NIOCore

/// Fixed workloads on servers whose instructions are counted.
struct InstructionWorkloads: Sendable {
    let stack: LocalStack
    let turns: FanoutTurns
    let eventLoop: any EventLoop
    let callgrind: Callgrind
    /// Sockets in the one room.
    let sockets: Int

    private static let turnsOfDelivery = 20
    private static let posts = 240
    private static let connects = 100

    /// - Returns: the instructions of one delivery, post and connect, by what they are.
    func run() async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for inFlight in [1, 16] {
            counts["delivery, \(inFlight) in flight"] = try await count(.webSocket) {
                var deliveries = 0
                for _ in 0..<Self.turnsOfDelivery {
                    deliveries += try await turns.run(inFlight: inFlight, inRoom: 0)
                }
                return deliveries
            }
        }
        for clients in [1, 16] {
            counts["post, \(clients == 1 ? "one client" : "\(clients) clients")"] = try await count(.message) {
                try await post(clients: clients)
                return Self.posts
            }
        }
        counts["connect"] = try await count(.webSocket) {
            let load = FanoutLoad(eventLoop: eventLoop, rooms: turns.rooms)
            try await load.connect(Self.connects, port: stack.webSocketServers[0].port, atOnce: 1)
            try await load.disconnect()
            return Self.connects
        }
        return counts
    }

    /// Starts the counting, and runs all once: caches fill, and each path is translated by valgrind.
    func warmUp() async throws {
        for kind in [ServerKind.webSocket, .message] { try await callgrind.startCounting(try await pid(kind)) }
        _ = try await run()
    }

    private func count(_ kind: ServerKind, _ workload: () async throws -> Int) async throws -> Int {
        let pid = try await pid(kind)
        _ = try await callgrind.count(kind, pid)
        let operations = try await workload()
        return try await callgrind.count(kind, pid) / max(1, operations)
    }

    private func pid(_ kind: ServerKind) async throws -> pid_t {
        try await (kind == .message ? stack.messageServers : stack.webSocketServers)[0].pid
    }

    /// Into rooms without sockets, so that the WebSocket server has nothing to do with it.
    private func post(clients: Int) async throws {
        let port = stack.messageServers[0].port
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for client in 0..<clients {
                tasks.addTask {
                    let outcome = try await PostLoad.run(
                        port: port, on: eventLoop, caller: .userID(client + 1), room: "instructions-\(client % 4)",
                        prefix: "\(UUID().uuidString)-", count: Self.posts / clients)
                    guard outcome.errors.isEmpty, outcome.accepted.count == Self.posts / clients else {
                        throw LocalStackError("Not all posts were accepted: \(outcome.errors)")
                    }
                }
            }
            for try await _ in tasks {}
        }
    }
}
