import DequeModule
import NIOConcurrencyHelpers

/// A bounded queue of many producers and one consumer, which takes all that has gathered while it was busy.
public final class BatchQueue<Element: Sendable>: Sendable {
    public enum Refusal: Error, Sendable {
        case full, stopped
    }

    private struct State {
        var waiting: Deque<Element> = []
        var consumer: CheckedContinuation<Void, Never>?
        var isStopped = false

        /// There is something for the consumer to do.
        var isReady: Bool { isStopped || !waiting.isEmpty }

        mutating func takeConsumerIfReady() -> CheckedContinuation<Void, Never>? { isReady ? consumer.take() : nil }
    }

    private let capacity: Int
    private let state = NIOLockedValueBox(State())

    public init(capacity: Int) { self.capacity = capacity }

    /// - Throws: where the queue is full or stopped.
    public func append(_ element: Element) throws(Refusal) {
        let result: Result<CheckedContinuation<Void, Never>?, Refusal> = state.withLockedValue { state in
            if state.isStopped { return .failure(.stopped) }
            if state.waiting.count >= capacity { return .failure(.full) }
            state.waiting.append(element)
            return .success(state.takeConsumerIfReady())
        }
        try result.get()?.resume()
    }

    /// Waits for elements. To be called by one task.
    /// - Returns: up to `limit` of them; `nil` once the queue is stopped and empty.
    public func next(upTo limit: Int) async -> [Element]? {
        while true {
            let (batch, isStopped) = state.withLockedValue { state in
                let batch = Array(state.waiting.prefix(limit))
                state.waiting.removeFirst(batch.count)
                return (batch, state.isStopped)
            }
            if !batch.isEmpty { return batch }
            if isStopped { return nil }
            await withCheckedContinuation { continuation in
                let isReady = state.withLockedValue { state in
                    if state.isReady { return true }
                    state.consumer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
            // What comes at the same moment is let in first: one batch of ten costs less than one of one and one of nine.
            await Task.yield()
        }
    }

    /// Takes no more elements; those that wait are still handed out.
    public func stop() {
        let consumer = state.withLockedValue { state in
            state.isStopped = true
            return state.consumer.take()
        }
        consumer?.resume()
    }
}
