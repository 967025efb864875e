import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation

/// `chat-lab bench changes`: posts beside a reader of the feed of changes and webhooks, by turns without them.
struct ChangesBenchCommand: RepeatedBenchmark {
    static let configuration = CommandConfiguration(
        commandName: "changes",
        abstract:
            "Posts as fast as they are answered, beside a reader of the feed and webhooks, by turns without them.",
        discussion: """
            A round posts three times: without anybody who appends the feed, with the feed and nobody who reads it, and \
            with a reader and the webhooks. The readers begin each time with what comes from then on.
            """)

    /// What the posts beside the readers may fall to.
    static let allowedRatio = 0.97

    @OptionGroup var load: PostOptions

    @Option(help: "Webhooks, each with a receiver of its own.")
    var webhooks = 5

    @OptionGroup var options: BenchOptions

    func validate() throws {
        guard (0...100).contains(webhooks) else { throw ValidationError("--webhooks 0–100") }
    }

    func measure() async throws -> BenchReport {
        let (clients, seconds, rooms) = (load.clients, load.seconds, load.rooms)
        return try await BenchStack.run(
            authMode: .trusted,
            configure: { $0.environment[Settings.webhookAllow.name] = ReachableHost.loopback },
            body: { stack in
                let readers = try await ChangeFeedReaders(stack, webhooks: webhooks)
                let posting = PostRounds(
                    port: stack.messageServers[0].port, clients: clients, rooms: (0..<rooms).map { "bench-\($0)" },
                    token: nil, seconds: seconds)
                Terminal.print("Warming up …")
                _ = try await posting.run()
                var figures = ChangeFeedFigures(seconds: seconds)
                for round in 1...options.rounds {
                    // By turns in either order, so that what grows with the tables is in both.
                    let all = ChangeFeedFigures.Phase.allCases
                    for phase in round.isMultiple(of: 2) ? all.reversed() : all {
                        Terminal.print("Round \(round) of \(options.rounds): \(phase.rawValue) …")
                        try await readers.prepare(phase)
                        let before = try await ProcessorTimes(stack)
                        let outcome = try await posting.run()
                        figures.add(phase, outcome, try await ProcessorTimes(stack).since(before))
                        guard phase == .read else { continue }
                        figures.lags.append(try await readers.catchUp(within: .seconds(120)))
                        try await readers.stop()
                    }
                }
                readers.close()
                return figures.report(
                    "changes: \(clients) clients, \(rooms) rooms, \(webhooks) webhooks, \(options.rounds) rounds")
            })
    }
}

/// What each way of posting came to.
struct ChangeFeedFigures {
    /// Who does something with the posts.
    enum Phase: String, CaseIterable, Sendable {
        case none = "without the feed"
        case appended = "with the feed, and nobody who reads it"
        case read = "with a reader and the webhooks"
    }

    let seconds: Int
    private var rates: [Phase: [Double]] = [:]
    /// Processor time of a post, in microseconds.
    private var serverCosts: [Phase: [Double]] = [:]
    private var databaseCosts: [Phase: [Double]] = [:]
    private var errors: [String: Int] = [:]
    /// How long the readers took after the last post of each round until they had everything.
    var lags: [Duration] = []

    init(seconds: Int) { self.seconds = seconds }

    mutating func add(_ phase: Phase, _ outcome: PostClients.Outcome, _ used: (server: Double, database: Double)) {
        rates[phase, default: []].append(Double(outcome.latency.count) / Double(seconds))
        let posts = Double(max(1, outcome.accepted.count))
        serverCosts[phase, default: []].append(used.server * 1e6 / posts)
        databaseCosts[phase, default: []].append(used.database * 1e6 / posts)
        errors.merge(outcome.errors, uniquingKeysWith: +)
    }

    func report(_ title: String) -> BenchReport {
        func line(_ name: String, _ unit: String, _ figures: [Phase: [Double]], _ phase: Phase, _ other: Phase)
            -> BenchReport.Line
        {
            .init(name, unit: unit, figures[phase] ?? [], beside: other.rawValue, figures[other] ?? [])
        }
        let read = line("accepted posts beside a reader and webhooks", "/s", rates, .read, .appended)
        var errors = errors
        if let ratio = read.ratio, ratio.median < ChangesBenchCommand.allowedRatio {
            errors["posts/s below \(ChangesBenchCommand.allowedRatio) × those without readers"] = 1
        }
        return BenchReport(
            title: title,
            lines: [
                read,
                line("accepted posts while the feed is appended", "/s", rates, .appended, .none),
                line(
                    "processor time of the message server for a post, with readers", "µs", serverCosts, .read, .appended
                ),
                line("the same while the feed is appended", "µs", serverCosts, .appended, .none),
                line("processor time of PostgreSQL for a post, with readers", "µs", databaseCosts, .read, .appended),
                line("the same while the feed is appended", "µs", databaseCosts, .appended, .none),
                .init("time after the last post until all readers have it", unit: "s", lags.map { $0 / .seconds(1) }),
            ], errors: errors)
    }
}

/// The processor time that the message server and PostgreSQL have used, in seconds.
private struct ProcessorTimes {
    private let server: Double
    private let database: [pid_t: Double]

    init(_ stack: LocalStack) async throws {
        server = try ProcessorTime.seconds(ofProcess: try await stack.messageServers[0].pid)
        database = await stack.postgres.running.map { ProcessorTime.secondsOfEach(inTree: $0.pid) } ?? [:]
    }

    /// What was used since. Processes that have ended are left out.
    func since(_ before: ProcessorTimes) -> (server: Double, database: Double) {
        (server - before.server, database.reduce(0) { $0 + $1.value - (before.database[$1.key] ?? 0) })
    }
}
