import Logging
import Synchronization

/// Keeps what clients can make a server write within bounds: a few lines a second of each kind of refusal, then a line
/// with the number of the rest. A log at `debug` or below gets them all.
public final class RefusalLog: Sendable {
    private struct State {
        var sampler = RefusalSampler()
        /// A task waits for the end of a window.
        var isClosing = false
    }

    private let logger: Logger
    private let state = Mutex(State())

    public init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameters:
    ///   - route: the template of the route, where there is one.
    ///   - status: of the answer, 400 or greater.
    /// - Returns: whether this refusal is to be logged; else it is counted.
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
