import ArgumentParser
import AsyncHTTPClient
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOHTTP1

/// `chat-lab bench import`: the same history twice, in bounded memory.
struct ImportBenchCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Imports users and messages twice: lines a second, memory, and the same database both times.",
        discussion: """
            Every table but those of leases and list snapshots is summed up after each import, once the feed of changes has \
            caught up. The second import must change nothing. The memory is that of the system server: its peak during \
            the imports beside what it had before them.
            """)

    @Option(help: "Users.")
    var users = 100_000

    @Option(help: "Rooms, of 20 members each.")
    var rooms = 1_000

    @Option(help: "Messages.")
    var messages = 1_000_000

    @Option(help: "MB by which the system server may grow.")
    var megabytes = 128.0

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (20...10_000_000).contains(users), (1...1_000_000).contains(rooms), messages >= 0, megabytes > 0 else {
            throw ValidationError("--users 20–10000000, --rooms 1–1000000, --megabytes above 0")
        }
    }

    func measure() async throws -> BenchReport {
        let load = ImportLoad(users: users, rooms: rooms, messages: messages)
        return try await BenchStack.run(authMode: .token) { stack in
            let key = try await stack.makeKey("bench", scopes: ["users", "rooms", "messages"])
            let samples = ProcessSamples([("system server", [try await stack.systemServer.pid])])
            try samples.take()
            var runs: [ImportRun] = []
            var sums: [[String]] = []
            for name in ["first", "second"] {
                Terminal.print("The \(name) import of \(load.lines) lines …")
                runs.append(try await ImportRun.measure(load, stack.systemServer.url, key: key, samples))
                sums.append(try await ImportRun.sums(stack.postgres))
            }
            return report(load, runs, sums, samples.series[0].megabytes)
        }
    }

    private func report(_ load: ImportLoad, _ runs: [ImportRun], _ sums: [[String]], _ memory: [Double]) -> BenchReport
    {
        let growth = (memory.max() ?? 0) - (memory.first ?? 0)
        var report = BenchReport(
            title: "import: \(users) users, \(rooms) rooms, \(messages) messages, twice",
            lines: [
                .init("the first import", unit: "lines/s", [Double(load.lines) / runs[0].seconds]),
                .init("the second import", unit: "lines/s", [Double(load.lines) / runs[1].seconds]),
                .init("growth of the system server", unit: "MB", [growth]).within(megabytes),
            ],
            notes: [
                String(format: "resident before %.1f MB, at the peak %.1f MB", memory.first ?? 0, memory.max() ?? 0),
                "first: \(runs[0].last)", "second: \(runs[1].last)",
            ])
        for (run, sum) in [(runs[0], "made"), (runs[1], "same")] where !run.isComplete(load.lines, sum) {
            report.errors["not all lines were \(sum): \(run.last)"] = 1
        }
        for (before, after) in zip(sums[0], sums[1]) where before != after {
            report.errors["the second import changed a table: \(before) → \(after)"] = 1
        }
        if sums[0].count != sums[1].count { report.errors["other tables"] = 1 }
        return report
    }
}

/// One import, from its first line to its end.
struct ImportRun: Sendable {
    let seconds: Double
    /// The last line of the answer.
    let last: String

    /// Whether an import has come to its end, and all its lines were of one kind.
    func isComplete(_ lines: Int, _ sum: String) -> Bool {
        last.hasPrefix(#"{"done":true,"lines":\#(lines),"#) && last.contains(#""\#(sum)":\#(lines)"#)
    }

    /// Sends an import and reads its answer, and takes a sample of the memory each second.
    static func measure(
        _ load: ImportLoad, _ url: String, key: String, _ samples: ProcessSamples
    ) async throws -> ImportRun {
        try await withThrowingTaskGroup(of: ImportRun?.self) { group in
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(1))
                    try samples.take()
                }
            }
            group.addTask { try await send(load, url, key: key) }
            defer { group.cancelAll() }
            while let run = try await group.next() {
                if let run { return run }
            }
            throw CancellationError()
        }
    }

    private static func send(_ load: ImportLoad, _ url: String, key: String) async throws -> ImportRun {
        var request = HTTPClientRequest(url: "\(url)/api/v1/admin/import")
        request.method = .POST
        request.headers.add(name: "Authorization", value: "Bearer \(key)")
        request.headers.add(name: "Content-Type", value: "application/x-ndjson")
        request.body = .stream(load, length: .unknown)
        let start = ContinuousClock.now
        let response = try await HTTPClient.shared.execute(request, timeout: .hours(12))
        // The end of the answer is enough: it may be long.
        var tail = ""
        for try await bytes in response.body { tail = String((tail + String(buffer: bytes)).suffix(4_096)) }
        let took = ContinuousClock.now - start
        return ImportRun(
            seconds: Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18,
            last: tail.split(separator: "\n").last.map(String.init) ?? "")
    }

    /// The number of rows of each table and the sum of their hashes, once the feed of changes has all events.
    static func sums(_ postgres: LocalPostgres) async throws -> [String] {
        let deadline = ContinuousClock.now + .seconds(300)
        while try await postgres.run(
            sql: """
                SELECT coalesce((SELECT sum(last_seq) FROM rooms), 0) - coalesce(sum(to_seq - from_seq + 1), 0)
                    + (SELECT count(*) FROM rooms)
                FROM change_runs
                """) != "0"
        {
            guard ContinuousClock.now < deadline else { throw LocalStackError("The feed of changes did not catch up") }
            try await Task.sleep(for: .seconds(1))
        }
        let tables = try await postgres.run(
            sql: """
                SELECT table_name FROM information_schema.tables
                WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
                    AND table_name NOT IN ('change_feed', 'list_snapshots') ORDER BY table_name
                """)
        var sums: [String] = []
        for table in tables.split(separator: "\n") {
            let sum = try await postgres.run(
                sql: "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM \(table) AS t")
            sums.append("\(table) \(sum)")
        }
        return sums
    }
}
