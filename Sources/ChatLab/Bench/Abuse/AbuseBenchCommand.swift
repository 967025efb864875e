import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import Glibc
import NIOCore
import NIOPosix

/// `chat-lab bench abuse`: what attackers do to the servers' memory and to ordinary clients, with the default limits.
struct AbuseBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abuse",
        abstract: "Attacks a private stack with its default limits; bounds memory and the p99 of ordinary clients.",
        discussion: """
            Each attack has a stack of its own. Four users post 100 messages a second in all, first alone, then beside \
            the attack. Exit status 1 if a server's memory grows beyond the bound of the attack, if the p99 of posts or \
            deliveries is more than 3 times as long (a p99 before counts as 10 ms at least), or if an ordinary post or \
            delivery is lost. docs/performance.md explains the table.
            """)

    @Argument(help: "Attacks by name; all if none is named.")
    var names: [String] = []

    @Flag(help: "Name all attacks and do nothing.")
    var list = false

    @Option(help: "Seconds of each phase: before the attack and during it.")
    var seconds = 10

    @Option(help: "Write the figures to this file, too.")
    var json: String?

    private static let users = 4
    private static let pauseAfter = Duration.seconds(10)
    private static let sampling = Duration.milliseconds(200)

    func validate() throws {
        guard (3...3_600).contains(seconds) else { throw ValidationError("--seconds 3–3600") }
        for name in names where !Attack.all.contains(where: { $0.name == name }) {
            throw ValidationError("There is no attack '\(name)'; --list names them.")
        }
    }

    func run() async throws {
        let attacks = Attack.all.filter { names.isEmpty || names.contains($0.name) }
        if list {
            for attack in attacks { Terminal.print("\(attack.name): \(attack.summary)") }
            return
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // Attackers have machines of their own; here they must not take the processor from the servers that they attack.
        try await group.next().submit { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }.get()
        var report = AbuseReport()
        for (index, attack) in attacks.enumerated() {
            Terminal.print("[\(index + 1)/\(attacks.count)] \(attack.name): \(attack.summary) …")
            let row = try await measure(attack, on: group.next())
            Terminal.print("  \(row.summary)")
            report.rows.append(row)
            // After each, so that the figures of an interrupted run are kept.
            try ReportFile.write(report, to: json)
        }
        try await group.shutdownGracefully()
        Terminal.print("\n\(report.text)")
        if !report.isClean { throw ExitCode.failure }
    }

    private func measure(_ attack: Attack, on eventLoop: any EventLoop) async throws -> AbuseReport.Row {
        let seconds = seconds
        return try await BenchStack.run(
            authMode: .token,
            configure: { configuration in
                for name in Settings.withoutLimits.keys { configuration.environment[name] = nil }
                if !attack.usesDefaultPasswordCost { configuration.environment[Settings.passwordCost.name] = "12" }
            }
        ) { stack in
            let setup = BenchSetup(stack: stack)
            var tokens: [String] = []
            for number in 0...Self.users { tokens.append(try await setup.logIn(as: "user-\(number)")) }
            let attacker = tokens.removeLast()
            let room = try await setup.makeRooms(1, token: tokens[0])[0]
            for token in tokens.dropFirst() + [attacker] { try await setup.join(room, token: token) }
            let ordinary = try await OrdinaryClients.connect(to: stack, room: room, tokens: tokens)
            let loads = try await attack.prepare(
                .init(stack: stack, setup: setup, room: room, token: attacker, eventLoop: eventLoop))

            _ = try await ordinary.run(seconds: 2)
            let quiet = try await ordinary.run(seconds: seconds)
            let servers = [stack.systemServer, stack.messageServers[0], stack.webSocketServers[0]]
            var pids: [pid_t] = []
            for server in servers { pids.append(try await server.pid) }
            let samples = ProcessSamples(zip(servers, pids).map { ($0.kind.rawValue, [$1]) })
            try samples.take()
            let processor = try pids.map { try ProcessorTime.seconds(ofProcess: $0) }

            async let meanwhile = ordinary.run(seconds: seconds)
            // The ordinary clients' connections come first.
            try await Task.sleep(for: .milliseconds(500))
            for load in loads { try await load.start() }
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end {
                try samples.take()
                try await Task.sleep(for: Self.sampling)
            }
            let used = try zip(pids, processor).map { try ProcessorTime.seconds(ofProcess: $0) - $1 }
            var counts = ConnectionCounts()
            for load in loads { counts.add(try await load.stop()) }
            let busy = try await meanwhile
            let during = samples.series.map { $0.megabytes.max() ?? 0 }
            try await Task.sleep(for: Self.pauseAfter)
            try samples.take()
            try await ordinary.disconnect()

            let found = zip(samples.series, zip(during, used)).map { series, measured in
                AbuseReport.Server(
                    name: series.name, before: series.megabytes.first ?? 0, highest: measured.0,
                    after: series.megabytes.last ?? 0, processor: measured.1 / Double(seconds) * 100)
            }
            return AbuseReport.Row(attack, servers: found, quiet: quiet, busy: busy, counts: counts)
        }
    }
}

extension ConnectionCounts {
    fileprivate mutating func add(_ other: ConnectionCounts) {
        sentBytes += other.sentBytes
        connected += other.connected
        ended += other.ended
    }
}
