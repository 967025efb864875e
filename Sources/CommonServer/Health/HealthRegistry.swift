import CommonUtil
import HTTPTypes
import Synchronization

/// The result of a health check.
public enum HealthResult: Sendable, Equatable {
    case ok
    /// A short reason for people, without host names and secrets.
    case failing(String)
}

/// The effect of a failing check on the readiness of the server.
public enum HealthSeverity: Sendable {
    /// The server works, but not as it should.
    case degraded
    /// The server cannot do its job.
    case unavailable
}

/// The phase of a server and its readiness checks.
public final class HealthRegistry: Sendable {
    /// The phases of a server, in order.
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
        /// The last run of the checks, complete or in progress.
        var run: (start: ContinuousClock.Instant, results: Task<[HealthResult], Never>)?
    }

    private let interval: Duration
    private let state = Mutex(State())

    /// - Parameter interval: the shortest time between two runs of the checks.
    public init(interval: Duration = .seconds(1)) { self.interval = interval }

    /// Adds a check.
    /// - Parameters:
    ///   - name: its member of `checks` in the readiness body.
    ///   - severity: the effect of its failure.
    ///   - deadline: the time after which it counts as failed.
    public func register(
        _ name: String, severity: HealthSeverity = .unavailable, deadline: Duration = .milliseconds(500),
        check: @escaping @Sendable () async -> HealthResult
    ) {
        state.withLock {
            $0.checks.append(Check(name: name, severity: severity, deadline: deadline, run: check))
            $0.run = nil
        }
    }

    /// The present phase.
    public var phase: Phase { state.withLock { $0.phase } }
    /// Whether the start is complete.
    public var isServing: Bool { phase != .starting }
    /// Whether the server is shutting down and should get no new work.
    public var isDraining: Bool { phase == .stopping }

    /// Ends the phase `starting`: the server is prepared for requests.
    public func startServing() {
        state.withLock { state in
            if state.phase == .starting { state.phase = .serving }
        }
    }

    /// Begins the phase `stopping`: `/health/ready` is 503 from now on.
    public func startDraining() { state.withLock { $0.phase = .stopping } }

    /// Runs all checks concurrently, or returns the results of a run that began less than the interval ago: the load on the
    /// dependencies does not grow with the number of probes.
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
                group.addTask {
                    (index, await TimeLimit.within(check.deadline, check.run) ?? .failing("no answer in time"))
                }
            }
            return await group.reduce(into: Array(repeating: HealthResult.ok, count: checks.count)) { $0[$1.0] = $1.1 }
        }
    }
}

/// The readiness body: `{"status": …, "checks": {name: "ok" or a reason}}`.
public struct HealthReport: JSONEncodable {
    /// The value of `status`.
    public enum Status: String, Sendable {
        case ok, degraded, unavailable
    }

    /// The readiness of the server.
    public let status: Status
    private let checks: [(name: String, result: HealthResult)]

    init(phase: HealthRegistry.Phase, checks: [(name: String, severity: HealthSeverity, result: HealthResult)]) {
        let failing = checks.filter { $0.result != .ok }
        let isUnavailable = phase != .serving || failing.contains { $0.severity == .unavailable }
        status = isUnavailable ? .unavailable : failing.isEmpty ? .ok : .degraded
        let process: [(String, HealthResult)] =
            switch phase {
            case .starting: [("process", .failing("starting"))]
            case .serving: []
            case .stopping: [("process", .failing("stopping"))]
            }
        self.checks = process + checks.map { ($0.name, $0.result) }
    }

    /// 503 for `unavailable`, else 200.
    public var httpStatus: HTTPResponse.Status { status == .unavailable ? .serviceUnavailable : .ok }

    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("status", status.rawValue)
            writer.key("checks")
            writer.object { writer in
                for check in checks {
                    switch check.result {
                    case .ok: writer.member(check.name, "ok")
                    case .failing(let reason): writer.member(check.name, reason)
                    }
                }
            }
        }
    }
}
