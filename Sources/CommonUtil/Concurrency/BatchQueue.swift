import DequeModule
import Synchronization

/// A bounded queue of many producers and one consumer. The consumer takes in one batch what was added while it was busy.
public final class BatchQueue<Element: Sendable>: Sendable {
    /// The reason why an element was not added.
    public enum Refusal: Error, Sendable {
        case full, stopped
    }

    private struct State {
        var waiting: Deque<Element> = []
        var consumer: CheckedContinuation<Void, Never>?
        var isStopped = false

        /// Whether the consumer has something to do.
        var isReady: Bool { isStopped || !waiting.isEmpty }

        mutating func takeConsumerIfReady() -> CheckedContinuation<Void, Never>? { isReady ? consumer.take() : nil }
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: the maximum number of waiting elements.
    public init(capacity: Int) { self.capacity = capacity }

    /// Adds an element.
    /// - Throws: ``Refusal`` where the queue is full or stopped.
    public func append(_ element: Element) throws(Refusal) {
        let result: Result<CheckedContinuation<Void, Never>?, Refusal> = state.withLock { state in
            if state.isStopped { return .failure(.stopped) }
            if state.waiting.count >= capacity { return .failure(.full) }
            state.waiting.append(element)
            return .success(state.takeConsumerIfReady())
        }
        try result.get()?.resume()
    }

    /// Waits for elements. Must be called by one task only.
    /// - Parameter limit: the maximum size of the batch.
    /// - Returns: a batch; `nil` once the queue is stopped and empty.
    public func next(upTo limit: Int) async -> [Element]? {
        while true {
            let (batch, isStopped) = state.withLock { state in
                let batch = Array(state.waiting.prefix(limit))
                state.waiting.removeFirst(batch.count)
                return (batch, state.isStopped)
            }
            if !batch.isEmpty { return batch }
            if isStopped { return nil }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isReady { return true }
                    state.consumer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
            // Lets other producers of the same moment add their elements: one batch of ten costs less than batches of one and
            // nine.
            await Task.yield()
        }
    }

    /// Stops the queue. It takes no more elements; waiting ones are still returned by ``next(upTo:)``.
    public func stop() {
        let consumer = state.withLock { state in
            state.isStopped = true
            return state.consumer.take()
        }
        consumer?.resume()
    }
}

extension Collection {
    /// Consecutive pieces of at most `size` elements.
    public func chunks(of size: Int) -> [[Element]] {
        var chunks: [[Element]] = []
        var rest = self[...]
        while !rest.isEmpty {
            chunks.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return chunks
    }
}
