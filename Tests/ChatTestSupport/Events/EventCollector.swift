import Synchronization

/// Collects the values that callbacks report, for tests to await.
public final class EventCollector<Event: Sendable>: Sendable {
    /// What was waited for did not come in time; the text shows what did.
    public struct TimedOut: Error, CustomStringConvertible {
        public let description: String
    }

    private struct Waiter {
        let isEnough: @Sendable ([Event]) -> Bool
        let continuation: CheckedContinuation<[Event], any Error>
        let timer: Task<Void, Never>
    }

    private struct State {
        var events: [Event] = []
        var waiters: [Int: Waiter] = [:]
        var nextWaiter = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Everything so far, in order.
    public var all: [Event] { state.withLock(\.events) }

    public func append(_ event: Event) { append(contentsOf: [event]) }

    public func append(contentsOf events: [Event]) {
        let (done, all) = state.withLock { state in
            state.events += events
            let done = state.waiters.filter { $0.value.isEnough(state.events) }
            for id in done.keys { state.waiters[id] = nil }
            return (done.values, state.events)
        }
        for waiter in done {
            waiter.timer.cancel()
            waiter.continuation.resume(returning: all)
        }
    }

    // MARK: Waiting

    /// - Returns: the first `count` events, as soon as there are as many.
    @discardableResult
    public func first(_ count: Int, within limit: Duration = .seconds(20)) async throws -> [Event] {
        Array(try await events(within: limit) { $0.count >= count }.prefix(count))
    }

    /// - Returns: the first event that fits, as soon as there is one.
    @discardableResult
    public func first(
        within limit: Duration = .seconds(20), where fits: @escaping @Sendable (Event) -> Bool
    ) async throws -> Event {
        guard let event = try await events(within: limit, until: { $0.contains(where: fits) }).first(where: fits)
        else { throw TimedOut(description: "no event fits any more") }
        return event
    }

    /// - Returns: all events, as soon as they are enough.
    @discardableResult
    public func events(
        within limit: Duration = .seconds(20), until isEnough: @escaping @Sendable ([Event]) -> Bool
    ) async throws -> [Event] {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                wait(id, isEnough, continuation, limit)
                // Cancelled before there was a waiter to fail.
                if Task.isCancelled { fail(id, CancellationError()) }
            }
        } onCancel: {
            fail(id, CancellationError())
        }
    }

    private func wait(
        _ id: Int, _ isEnough: @escaping @Sendable ([Event]) -> Bool,
        _ continuation: CheckedContinuation<[Event], any Error>, _ limit: Duration
    ) {
        let timer = Task {
            guard (try? await Task.sleep(for: limit)) != nil else { return }
            fail(id, TimedOut(description: "not within \(limit); got \(all)"))
        }
        let events: [Event]? = state.withLock { state in
            if isEnough(state.events) { return state.events }
            state.waiters[id] = Waiter(isEnough: isEnough, continuation: continuation, timer: timer)
            return nil
        }
        guard let events else { return }
        timer.cancel()
        continuation.resume(returning: events)
    }

    private func fail(_ id: Int, _ error: any Error) {
        guard let waiter = state.withLock({ $0.waiters.removeValue(forKey: id) }) else { return }
        waiter.timer.cancel()
        waiter.continuation.resume(throwing: error)
    }
}
