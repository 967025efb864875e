import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// `chat-lab bench soak`: steady load, during which memory and descriptors must not grow.
struct SoakBenchCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Steady load for a while; fails if a server's memory or descriptors grow, or an event is lost.",
        discussion: """
            The load is that of `chat-lab faults` without a fault: posts, edits, deletions, reads, members who come and go, \
            and sockets that are cut and resume. Memory and descriptors are sampled every 10 s; the middle of the last \
            third of the samples is compared with that of the first, after a warm-up of a tenth of the time, at least \
            30 s. At the end the whole history is checked as after a fault.
            """)

    @Option(help: "How long.")
    var minutes = 10

    @Option(help: "Messages a second.")
    var rate = 200

    @Option(help: "MB by which each server may grow.")
    var megabytes = 5.0

    @Option(help: "Open descriptors by which each server may grow.")
    var descriptors = 5.0

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    func validate() throws {
        guard (1...1440).contains(minutes), (1...2000).contains(rate), megabytes > 0, descriptors > 0 else {
            throw ValidationError("--minutes 1–1440, --rate 1–2000, --megabytes and --descriptors above 0")
        }
    }

    private static let interval = Duration.seconds(10)
    private var warmUp: Duration { .seconds(max(30, minutes * 6)) }

    func measure() async throws -> BenchReport {
        FileDescriptors.raiseLimit()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let found = try await FaultStack.run { stack in
            var kinds: [(name: String, pids: [pid_t])] = []
            for servers in [
                [stack.processes.systemServer], stack.processes.messageServers, stack.processes.webSocketServers,
            ] {
                var pids: [pid_t] = []
                for server in servers { pids.append(try await server.pid) }
                kinds.append(("\(pids.count) × \(servers[0].kind.rawValue)", pids))
            }
            let samples = ProcessSamples(kinds)
            Terminal.print("Steady load for \(minutes) minutes …")
            let row = try await FaultRun(fault: steadyLoad(samples), stack: stack, eventLoop: eventLoop).run().row
            return report(samples.series, row)
        }
        try await group.shutdownGracefully()
        return found
    }

    /// A fault that does no harm and lasts as long as the soak.
    private func steadyLoad(_ samples: ProcessSamples) -> Fault {
        let end = Duration.seconds(minutes * 60) - warmUp
        return Fault(
            name: "soak", summary: "Everyday use", shape: LoadShape(messages: 1000, rate: rate, churnRate: 10),
            warmUp: warmUp, bounds: .init(refused: 0), signs: [.socketsClosed.required, .framesReplayed.required],
            inflict: { stage in
                let deadline = ContinuousClock.now + end
                while ContinuousClock.now < deadline {
                    try samples.take()
                    try await stage.load.cutSessions(5)
                    try await stage.last(Self.interval)
                }
            })
    }

    private func report(_ series: [ProcessSamples.Series], _ row: FaultRow) -> BenchReport {
        var report = BenchReport(
            title: "soak: \(minutes) minutes, \(rate) messages/s, last third of the samples beside the first",
            lines: [],
            losses: row.lost, duplicates: row.doubled,
            notes: [
                "\(row.acknowledged) posts, \(row.memberChanges) comings and goings, \(row.reads) reads, sockets closed: "
                    + "\(row.closes.values.reduce(0, +)), longest delay \(row.longestDelaySeconds) s"
            ])
        for problem in row.problems { report.errors[problem] = 1 }
        for one in series {
            for (what, unit, values, allowed) in [
                ("memory", "MB", one.megabytes, megabytes), ("descriptors", "open", one.descriptors, descriptors),
            ] {
                guard let check = GrowthCheck(values) else {
                    report.errors["\(one.name): too few samples"] = 1
                    continue
                }
                report.lines.append(.init("\(one.name): \(what)", unit: unit, check))
                let allowed = allowed * Double(one.processes)
                guard check.growth > allowed else { continue }
                report.errors[
                    String(format: "%@: %@ grew by %.1f, %.1f allowed", one.name, what, check.growth, allowed)] = 1
            }
        }
        return report
    }
}

extension BenchReport.Line {
    fileprivate init(_ name: String, unit: String, _ check: GrowthCheck) {
        self.init(name, unit: unit, [])
        measured = check.last
        referenceName = "the first third"
        reference = check.first
        ratio = Spread([check.last.median / max(1, check.first.median)])
    }
}
