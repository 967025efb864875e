import CommonUtil
import Synchronization

/// What a check found.
public enum HealthResult: Sendable, Equatable {
    case ok
    /// A short reason for people; no host name, no secret.
    case failing(String)
}

/// What a failing check makes of the whole.
public enum HealthSeverity: Sendable {
    /// The server works, but not as it should.
    case degraded
    /// The server cannot do its job.
    case unavailable
}

/// A server's state and the checks that tell whether it can do its job.
public final class HealthRegistry: Sendable {
    /// Where in its life a server is.
    public enum Phase: Sendable {
        case starting, serving, stopping
    }

    struct Check: Sendable {
        let name: String
        let severity: HealthSeverity
        let deadline: Duration
        let run: @Sendable () async -> HealthResult
    }

    private struct State {
        var phase = Phase.starting
        var checks: [Check] = []
        /// The last run of the checks, done or under way.
        var run: (start: ContinuousClock.Instant, results: Task<[HealthResult], Never>)?
    }

    private let interval: Duration
    private let state = Mutex(State())

    /// - Parameter interval: for how long answers of the dependencies are good, whoever asks.
    public init(interval: Duration = .seconds(1)) { self.interval = interval }

    /// Adds a check. Its name is the member of `checks` in the readiness body; one that has not answered by its deadline
    /// has failed.
    public func register(
        _ name: String, severity: HealthSeverity = .unavailable, deadline: Duration = .milliseconds(500),
        check: @escaping @Sendable () async -> HealthResult
    ) {
        state.withLock {
            $0.checks.append(Check(name: name, severity: severity, deadline: deadline, run: check))
            $0.run = nil
        }
    }

    public var phase: Phase { state.withLock { $0.phase } }
    public var isServing: Bool { phase != .starting }
    /// Whether the server is going away and wants no new work.
    public var isDraining: Bool { phase == .stopping }

    /// Everything that had to be done before the first request is done.
    public func startServing() {
        state.withLock { state in
            if state.phase == .starting { state.phase = .serving }
        }
    }

    /// From now on `/health/ready` says 503.
    public func startDraining() { state.withLock { $0.phase = .stopping } }

    /// Runs every check, all at once, or takes the results of a run that began less than the interval ago: however
    /// many ask, the dependencies do not feel it.
    public func report() async -> HealthReport {
        let (checks, run) = state.withLock { state in
            let now = ContinuousClock.now
            if let run = state.run, now - run.start < interval { return (state.checks, run.results) }
            let results = Task { [checks = state.checks] in await Self.results(of: checks) }
            state.run = (now, results)
            return (state.checks, results)
        }
        let results = await run.value
        return HealthReport(phase: phase, checks: zip(checks, results).map { ($0.name, $0.severity, $1) })
    }

    private static func results(of checks: [Check]) async -> [HealthResult] {
        await withTaskGroup(of: (Int, HealthResult).self) { group in
            for (index, check) in checks.enumerated() {
                group.addTask { (index, await DeadlineCheck.run(check)) }
            }
            return await group.reduce(into: Array(repeating: HealthResult.ok, count: checks.count)) { $0[$1.0] = $1.1 }
        }
    }
}

/// Runs a check that may not heed cancellation, for no longer than its deadline.
private enum DeadlineCheck {
    static func run(_ check: HealthRegistry.Check) async -> HealthResult {
        let (results, continuation) = AsyncStream.makeStream(
            of: HealthResult.self, bufferingPolicy: .bufferingOldest(1))
        let work = Task { continuation.yield(await check.run()) }
        let timer = Task {
            try await Task.sleep(for: check.deadline)
            continuation.yield(.failing("no answer in time"))
        }
        defer {
            work.cancel()
            timer.cancel()
        }
        return await results.first { _ in true } ?? .failing("no answer in time")
    }
}
