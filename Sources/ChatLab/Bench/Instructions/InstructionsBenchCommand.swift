import ArgumentParser
import ChatLocalStack
import Foundation

/// `chat-lab bench instructions`: instructions of a delivery, a post and a connect. They do not depend on what else the
/// machine does.
struct InstructionsBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "instructions",
        abstract:
            "Instructions of a delivery, a post and a connect on fixed workloads, beside the thresholds in the repo.",
        discussion: """
            The servers run under valgrind's callgrind. Without --check the figures are only shown beside the \
            thresholds; with it a figure that is too high is an error and the exit status is 1.
            """)

    @Flag(help: "Fail if a figure is over its threshold.")
    var check = false

    @Flag(help: "Make the least of what is measured the new thresholds.")
    var update = false

    @Option(help: "The thresholds' file, instead of \(InstructionThresholds.file) in the repository.")
    var thresholds: String?

    @Option(help: "WebSockets in the one room.")
    var sockets = 200

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (1...1000).contains(sockets) else { throw ValidationError("--sockets 1–1000") }
        guard !(check && update) else { throw ValidationError("--check or --update, not both") }
    }

    /// How far a new file's counts may lie above it: see docs/performance.md for how much they differ.
    private static let allowancePercent = 10.0

    func measure() async throws -> BenchReport {
        let file = try thresholds ?? Repository.path(of: InstructionThresholds.file)
        var known = InstructionThresholds(allowancePercent: Self.allowancePercent, instructions: [:])
        if FileManager.default.fileExists(atPath: file) { known = try .read(file) }

        let rounds = try await count()
        let names = Set(rounds.flatMap(\.keys)).sorted()
        let values = Dictionary(uniqueKeysWithValues: names.map { name in (name, rounds.compactMap { $0[name] }) })
        // What else a machine does adds to a count (a batch is cut in two, a timer fires) and takes nothing from it.
        let least = values.compactMapValues { $0.min() }
        if update {
            known.instructions = least
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try ReportFile.write(known, to: file)
        }
        let lines = names.map { name -> BenchReport.Line in
            let counts = (values[name] ?? []).map(Double.init)
            guard let threshold = known.instructions[name] else { return .init(name, unit: "instructions", counts) }
            return .init(
                name, unit: "instructions", counts, beside: "threshold, +\(Int(known.allowancePercent)) % allowed",
                counts.map { _ in Double(threshold) })
        }
        var report = BenchReport(
            title: "instructions: \(sockets) sockets, \(options.rounds) rounds", lines: lines,
            notes: known.slack(over: least))
        for problem in known.problems(of: least) {
            if check { report.errors[problem] = 1 } else { report.notes.append(problem) }
        }
        return report
    }

    private func count() async throws -> [[String: Int]] {
        let folder = try PrivateFolder.temporary(prefix: "chat-callgrind")
        defer { PrivateFolder.remove(folder) }
        let callgrind = try await Callgrind(folder: folder)
        return try await FanoutStack.run(sockets: sockets, rooms: 1) { configuration in
            configuration.buildFolder = callgrind.buildFolder
            for kind in [ServerKind.message, .webSocket] {
                configuration.launcherOfKind[kind] = callgrind.launcher(kind)
                configuration.environmentOfKind[kind] = callgrind.environment
            }
        } body: { stack, turns, eventLoop in
            // Appending goes by the clock, and valgrind makes the server fifty times slower: with it a post would be made
            // out to cost what in fact hundreds of posts share. `bench changes` measures the feed.
            try await stack.setAppendsFeed(false)
            let workloads = InstructionWorkloads(
                stack: stack, turns: turns, eventLoop: eventLoop, callgrind: callgrind)
            Terminal.print("Warming up …")
            // Fills caches, and allocates what is allocated once.
            _ = try await workloads.run()
            var rounds: [[String: Int]] = []
            for round in 1...options.rounds {
                Terminal.print("Counting, round \(round) …")
                rounds.append(try await workloads.run())
            }
            return rounds
        }
    }
}
