import ChatLocalStack
import Synchronization

/// The end of a run: what all clients did.
extension LibraryClientLoad {
    /// What all clients did, and the logs of their own rooms.
    struct Outcome: Sendable {
        var checks: [(name: String, summary: String, check: LibraryClientCheck)] = []
        /// Of those that did not get to the end.
        var problems: [String] = []

        /// Whether the check of a client found something.
        func hasProblems(_ name: String) -> Bool {
            checks.contains { $0.name == name && !$0.check.problems.isEmpty }
        }
    }

    /// Lets all clients send what they kept, and get to the end of the logs; then stops them and has their stores shown.
    /// - Parameter logs: the logs of the rooms of the load.
    func finish(
        logs: [String: [LibraryClientCheck.Entry]], reader: RoomLogReader, within time: Duration
    ) async throws -> Outcome {
        guard let links else { return Outcome() }
        try await links.set(.pass)
        for client in clients {
            client.resume()
            try client.setPosting(false)
        }
        let logs = logs.filter { rooms.contains($0.key) }
        let deadline = ContinuousClock.now + time
        // First the posts of all, so that nothing is added to the logs of their own rooms any more.
        var own = GrowingLogs(reader: reader, rooms: ownRooms)
        for client in clients {
            while ContinuousClock.now < deadline, try await obstacleToEnd(of: client.progress, &own) != nil {
                try await Task.sleep(for: Self.pollInterval)
            }
        }
        let outcome = try await withThrowingTaskGroup(of: Outcome.self) { [own] group in
            for store in stores {
                group.addTask { try await self.finish(store, logs, own, deadline) }
            }
            var outcome = Outcome()
            for try await one in group {
                outcome.checks += one.checks
                outcome.problems += one.problems
            }
            outcome.checks.sort { $0.name < $1.name }
            return outcome
        }
        try await links.stop()
        return outcome
    }

    static let pollInterval = Duration.milliseconds(200)
    /// How often clients are started again whose store is not at the ends of the logs yet.
    private static let maximumRestarts = 3

    /// Finishes the clients of one store.
    private func finish(
        _ store: StoreOfClients, _ logs: [String: [LibraryClientCheck.Entry]], _ ownLogs: GrowingLogs,
        _ deadline: ContinuousClock.Instant
    ) async throws -> Outcome {
        var own = ownLogs
        for restarts in 0... {
            var outcome = Outcome()
            for client in store.clients {
                while let obstacle = try await obstacle(of: client, logs, &own) {
                    guard ContinuousClock.now < deadline else {
                        outcome.problems.append("\(client.name) did not get to the end: \(obstacle)\n\(client.tail)")
                        break
                    }
                    try await Task.sleep(for: Self.pollInterval)
                }
            }
            do {
                for client in store.clients { try await client.stop() }
                try await own.update()
                outcome.checks = try await check(store, logs.merging(own.logs) { $1 })
            } catch let error as LocalStackError {
                outcome.problems.append("\(error)")
                return outcome
            }
            // Readers that ask for pages may have been faster than what is kept.
            let isBehind = outcome.checks.contains { $0.check.counts[.store] != nil }
            guard isBehind, restarts < Self.maximumRestarts, ContinuousClock.now < deadline else {
                // What it held in memory while its store failed was lost when it was killed.
                for client in store.clients where outcome.hasProblems(client.name) {
                    outcome.problems += client.storeFailures.map { "\(client.name): \($0)" }
                }
                return outcome
            }
            for client in store.clients { try start(client) }
            try await Task.sleep(for: .seconds(restarts + 1))
        }
        return Outcome()
    }

    private func check(
        _ store: StoreOfClients, _ logs: [String: [LibraryClientCheck.Entry]]
    ) async throws -> [(name: String, summary: String, check: LibraryClientCheck)] {
        guard let links, let shown = try await store.clients.first?.shownStore(links.servers) else { return [] }
        let loss = loss.withLock { $0 }
        let records = store.clients.map { client in
            var record = client.progress
            record.sharesStore = store.clients.count > 1
            return record
        }
        var checks = records.map { record in
            (
                name: record.name,
                summary: "\(record.kept.count) posts kept, \(record.applied.count) events dealt with, "
                    + "\(record.kills) kills",
                check: LibraryClientCheck(record, store: shown, logs: logs, named: Set(ownRooms), loss: loss)
            )
        }
        if records.count > 1 {
            let names = records.map(\.name).joined(separator: " and ")
            let check = LibraryClientCheck(lineOf: records, logs: logs)
            checks.append((names, "one line of \(records.map(\.kept.count).reduce(0, +)) posts", check))
        }
        return checks
    }

    /// Why a client is not at the end of all rooms with all its posts; nil if it is.
    private func obstacle(
        of client: LibraryClient, _ logs: [String: [LibraryClientCheck.Entry]], _ own: inout GrowingLogs
    ) async throws -> String? {
        let progress = client.progress
        if let obstacle = try await obstacleToEnd(of: progress, &own) { return obstacle }
        try await own.update()
        for (room, log) in logs.merging(own.logs, uniquingKeysWith: { $1 }) {
            let heard = progress.heard.last?.last { $0.room == room }
            let readers = [
                ("applied", progress.applied), ("named", ownRooms.contains(room) ? progress.named : nil),
                // What a life hears begins somewhere; from there on it hears all.
                ("heard", heard.map { [$0] }),
            ]
            for (name, sightings) in readers {
                guard let sightings, let head = log.last else { continue }
                let last = sightings.last { $0.room == room }
                if last?.eventMark != head.eventMark {
                    return "\(name) events of \(room): \(last?.seq ?? 0) of \(head.seq)"
                }
            }
        }
        return nil
    }

    /// Why it is not known that all posts of a client have ended; nil if they have.
    func obstacleToEnd(of progress: LibraryClientRecord, _ own: inout GrowingLogs) async throws -> String? {
        // Each life posts first, even when it is paused, what may have been kept without being written down.
        if progress.heard.count < progress.starts { return "it has not begun" }
        if progress.kept.last?.key != progress.lastAsked || progress.lastAsked == nil { return "a post is being kept" }
        var ended = Set(progress.ends.map(\.key))
        var open = progress.kept.count { !ended.contains($0.key) }
        if open == 0 { return nil }
        // A client that is killed in this moment may not have written down how a post ended.
        try await own.update()
        ended.formUnion(own.logs.values.joined().compactMap(\.key))
        open = progress.kept.count { !ended.contains($0.key) }
        return open > 0 ? "\(open) posts without an end" : nil
    }
}

/// Logs that are read on from where they were read before.
struct GrowingLogs {
    let reader: RoomLogReader
    private(set) var logs: [String: [LibraryClientCheck.Entry]]

    init(reader: RoomLogReader, rooms: [String]) {
        self.reader = reader
        logs = Dictionary(rooms.map { ($0, []) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func update() async throws {
        for (room, log) in logs {
            logs[room]? += try await reader.events(of: room, after: log.last?.seq ?? 0).map(\.content)
        }
    }
}
