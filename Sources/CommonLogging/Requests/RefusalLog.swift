import Logging
import Synchronization

/// Samples the log lines of refused requests, so that clients cannot fill the log: a few lines a second of each kind, then
/// a line with the number of the others. A log at `debug` or below gets all.
public final class RefusalLog: Sendable {
    private struct State {
        var sampler = RefusalSampler()
        /// Whether a task waits for the end of a window.
        var isClosing = false
    }

    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter logger: the logger of the lines with numbers.
    public init(logger: Logger) {
        self.logger = logger
    }

    /// Decides on a refusal.
    /// - Parameters:
    ///   - method: the method of the request.
    ///   - route: the template of the route, where there is one.
    ///   - status: the status of the response, 400 or greater.
    /// - Returns: whether the refusal should be logged; otherwise it is counted.
    public func admits(method: String, route: String?, status: Int) -> Bool {
        guard logger.logLevel > .debug else { return true }
        let kind = RefusalSampler.Kind(
            method: RequestLog.shown(method: method), route: route ?? "none", status: status)
        let (isAdmitted, mustClose) = state.withLock { state in
            let isAdmitted = state.sampler.admits(kind, now: .now)
            defer { state.isClosing = true }
            return (isAdmitted, !state.isClosing)
        }
        if mustClose { Task { await closeWindows() } }
        return isAdmitted
    }

    private func closeWindows() async {
        while let end = state.withLock({ $0.sampler.nextEnd }) {
            try? await Task.sleep(until: end, clock: .continuous)
            for (kind, count) in state.withLock({ $0.sampler.close(now: .now) }) { write(kind, count) }
            let isDone = state.withLock { state in
                state.isClosing = state.sampler.nextEnd != nil
                return !state.isClosing
            }
            if isDone { return }
        }
    }

    private func write(_ kind: RefusalSampler.Kind, _ count: Int) {
        logger.log(
            level: RequestLog.level(status: kind.status),
            "\(count) more answers like this: \(kind.method) \(kind.route) \(kind.status)",
            metadata: [
                "method": "\(kind.method)", "route": "\(kind.route)", "status": .stringConvertible(kind.status),
                "count": .stringConvertible(count),
            ])
    }
}

/// Decides which refusals get a log line: the first few of each kind in a second. Counts the others. Reads no clock.
struct RefusalSampler {
    typealias Instant = ContinuousClock.Instant

    /// A kind of refusal. Each property has few values, whatever clients send.
    struct Kind: Hashable {
        var method: String
        /// The route's template.
        var route: String
        var status: Int
    }

    private struct Window {
        let end: Instant
        var count = 0
    }

    static let length = Duration.seconds(1)
    /// Maximum number of kinds at a time; further ones are counted as one.
    static let maximumKinds = 256
    private static let others = "others"

    private let linesPerWindow: Int
    private var windows: [Kind: Window] = [:]

    init(linesPerWindow: Int = 5) {
        self.linesPerWindow = linesPerWindow
    }

    /// The time at which the next window ends.
    private(set) var nextEnd: Instant?

    /// Decides on a refusal.
    /// - Returns: whether it gets a log line.
    mutating func admits(_ kind: Kind, now: Instant) -> Bool {
        var kind = kind
        if windows[kind] == nil, windows.count >= Self.maximumKinds {
            kind = Kind(method: Self.others, route: Self.others, status: kind.status)
        }
        var window = windows[kind] ?? Window(end: now + Self.length)
        window.count += 1
        windows[kind] = window
        nextEnd = nextEnd ?? window.end
        return window.count <= linesPerWindow
    }

    /// Ends the windows that are over.
    /// - Returns: the number of refusals without a line, for each kind with any.
    mutating func close(now: Instant) -> [(kind: Kind, count: Int)] {
        let over = windows.filter { $0.value.end <= now }
        for kind in over.keys { windows[kind] = nil }
        nextEnd = windows.values.lazy.map(\.end).min()
        return over.filter { $0.value.count > linesPerWindow }.map { ($0.key, $0.value.count - linesPerWindow) }
    }
}
