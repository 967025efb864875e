import ChatLocalStack
import Foundation

/// Idle connections use up the descriptors of a server of each kind.
extension Fault {
    static let descriptorsUsedUp = Fault(
        name: "descriptors-used-up",
        summary: "Idle connections take the descriptors of a server of each kind: all but the reserve, then all",
        shape: LoadShape(usesOneWebSocketServer: true, libraryClients: 1),
        bounds: .init(delay: .outage(plus: .seconds(5))),
        signs: [
            .noted(endedConnections).required, .noted(answeredProbes).required,
            .socketsClosed.required, .framesReplayed.required,
        ],
        inflict: { stage in
            var servers: [FullServer] = []
            for server in [
                stage.processes.webSocketServers[0], stage.processes.messageServers[0], stage.processes.systemServer,
            ] {
                servers.append(try await FullServer(server))
            }
            do {
                try await fill(servers, stage)
            } catch {
                for server in servers { _ = try? await server.free() }
                throw error
            }
            for server in servers { stage.note(endedConnections, try await server.free().ended) }
        },
        examine: { _, stage in
            let resting = stage.notes[restingServers] ?? 0
            let unanswered = stage.notes[unansweredProbes] ?? 0
            return [
                Measure(text: "\(unanswered) health checks unanswered (bound 0)", isWithinBound: unanswered == 0),
                Measure(text: "\(resting) servers could accept nothing (bound 3)", isWithinBound: resting == 3),
            ]
                + ServerKind.allCases.map { kind in
                    let quiet = stage.notes[percent(kind, "before")] ?? 0
                    let full = stage.notes[percent(kind, "while full")] ?? 0
                    return Measure(
                        text: "\(kind.logName) server \(full) % of a core, \(quiet) % before (bound +50)",
                        isWithinBound: full <= quiet + 50)
                }
        })

    private static func fill(_ servers: [FullServer], _ stage: FaultStage) async throws {
        try await measure(servers, "before", stage) { try await stage.last(.seconds(2)) }

        // Up to the reserve: health checks and metrics are answered; a session that loses its connection has to wait.
        for server in servers { try await server.fill(limit: 200) }
        try await stage.last(.seconds(2))
        try await stage.load.cutSessions(10)
        for _ in 0..<3 {
            for server in servers {
                for path in ["/health/live", "/health/ready", "/metrics"] {
                    let isAnswered = try await isAnswered(path, by: server.server, stage)
                    stage.note(isAnswered ? answeredProbes : unansweredProbes)
                }
            }
        }

        // Below the number of open descriptors: nothing can be accepted, while clients still try to connect.
        for server in servers { try await server.process.setDescriptorLimit(100) }
        try await measure(servers, "while full", stage) { try await stage.last(.seconds(4)) }
        for server in servers
        where server.server.logTail(1000).contains(where: { $0.contains("No connection can be accepted") }) {
            stage.note(restingServers)
        }
    }

    /// Asks for up to 2 s, since the reserve may be taken for a moment by others who ask the same.
    private static func isAnswered(_ path: String, by server: LocalServer, _ stage: FaultStage) async throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(2)
        while ContinuousClock.now < deadline {
            if await (try? stage.stack.probe(server, path))?.status == 200 { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    /// Notes the processor time that each server takes meanwhile, in hundredths of a core.
    private static func measure(
        _ servers: [FullServer], _ phase: String, _ stage: FaultStage, _ body: () async throws -> Void
    ) async throws {
        let start = ContinuousClock.now
        let before = try servers.map { try $0.processorSeconds() }
        try await body()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        for (server, before) in zip(servers, before) {
            let used = try server.processorSeconds() - before
            stage.note(percent(server.server.kind, phase), Int(used / seconds * 100))
        }
    }

    private static func percent(_ kind: ServerKind, _ phase: String) -> String { "\(kind.logName) % \(phase)" }

    private static let restingServers = "servers that could accept nothing"
    private static let endedConnections = "idle connections ended"
    private static let answeredProbes = "health checks answered meanwhile"
    private static let unansweredProbes = "health checks not answered"
}

/// A server whose descriptors are taken by idle connections.
private struct FullServer: Sendable {
    let server: LocalServer
    let process: LocalProcess
    private let usualLimit: Int
    private let connections: HeldConnections

    init(_ server: LocalServer) async throws {
        guard let process = await server.running else { throw LocalStackError("\(server.kind.rawValue) is gone") }
        self.server = server
        self.process = process
        usualLimit = try process.descriptorLimit()
        connections = HeldConnections(port: server.port, count: 250)
    }

    /// - Throws: `LocalStackError` with its last log lines if the server has ended.
    func processorSeconds() throws -> Double {
        if let status = process.exitStatus {
            throw LocalStackError(
                (["\(server.kind.rawValue) died without descriptors: it \(status)"] + process.logTail(10))
                    .joined(separator: "\n  "))
        }
        return try ProcessorTime.seconds(ofProcess: process.pid)
    }

    func fill(limit: Int) async throws {
        try await process.setDescriptorLimit(limit)
        try await connections.start()
    }

    /// Closes the connections and restores the limit.
    @discardableResult
    func free() async throws -> ConnectionCounts {
        let counts = try await connections.stop()
        try await process.setDescriptorLimit(usualLimit)
        return counts
    }
}
