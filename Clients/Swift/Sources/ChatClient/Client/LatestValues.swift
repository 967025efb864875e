import NIOConcurrencyHelpers

/// A value that changes: every consumer gets the newest one at first, then the value after each change. A slow consumer
/// misses values in between, never the last.
public struct LatestValues<Value: Sendable>: AsyncSequence, Sendable {
    /// A value.
    public typealias Element = Value

    let source: LatestValue<Value>

    /// The value now.
    public var value: Value { source.value }

    /// A consumer of its own.
    public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

    /// Iterates over the values of one consumer.
    public struct Iterator: AsyncIteratorProtocol {
        let source: LatestValue<Value>
        private var seen = 0

        init(source: LatestValue<Value>) { self.source = source }

        /// The newest value, once it is another than the one returned before; `nil` at the end or if the task is
        /// cancelled.
        public mutating func next() async -> Value? {
            guard let (value, version) = await source.next(after: seen) else { return nil }
            seen = version
            return value
        }
    }
}

/// The source of ``LatestValues``.
final class LatestValue<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        var version = 1
        var isFinished = false
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextID = 0
    }

    private let state: NIOLockedValueBox<State>

    init(_ value: Value) { state = NIOLockedValueBox(State(value: value)) }

    var value: Value { state.withLockedValue { $0.value } }
    /// Number of consumers that wait for another value.
    var waiterCount: Int { state.withLockedValue { $0.waiting.count } }

    func set(_ value: Value) {
        let waiting = state.withLockedValue { state -> [CheckedContinuation<Void, Never>] in
            guard !state.isFinished else { return [] }
            state.value = value
            state.version += 1
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    func finish() {
        let waiting = state.withLockedValue { state in
            state.isFinished = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    func next(after seen: Int) async -> (Value, Int)? {
        while !Task.isCancelled {
            let (new, isFinished) = state.withLockedValue { state in
                (state.version > seen ? (state.value, state.version) : nil, state.isFinished)
            }
            if let new { return new }
            if isFinished { return nil }
            await wait(seen)
        }
        return nil
    }

    private func wait(_ seen: Int) async {
        let id = state.withLockedValue { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isNow = state.withLockedValue { state in
                    if state.version > seen || state.isFinished || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isNow { continuation.resume() }
            }
        } onCancel: {
            state.withLockedValue { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}

/// Sends elements to several consumers, each with a bounded queue. A consumer that is too slow loses the oldest.
final class Broadcast<Element: Sendable>: Sendable {
    private struct State {
        var consumers: [Int: AsyncStream<Element>.Continuation] = [:]
        var nextID = 0
    }

    private let state = NIOLockedValueBox(State())
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    func send(_ element: Element) {
        for consumer in state.withLockedValue({ Array($0.consumers.values) }) { consumer.yield(element) }
    }

    func finish() {
        let consumers = state.withLockedValue { state in
            defer { state.consumers = [:] }
            return Array(state.consumers.values)
        }
        for consumer in consumers { consumer.finish() }
    }

    /// - Parameter onEnd: called once when the consumer ends.
    func consume(onEnd: @escaping @Sendable () -> Void = {}) -> AsyncStream<Element> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Element.self, bufferingPolicy: .bufferingNewest(capacity))
        let id = state.withLockedValue { state in
            state.nextID += 1
            state.consumers[state.nextID] = continuation
            return state.nextID
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLockedValue { $0.consumers.removeValue(forKey: id) }
            onEnd()
        }
        return stream
    }
}
