import CommonUtil

/// The posts that wait in a ``MessageWriter``, and when the next batch of them is sent. Pure: no I/O.
struct WriterQueue {
    typealias Post = (draft: MessageDraft, reply: PostOutcome.Reply)

    private let batchSize: Int
    private let capacity: Int
    private var waiting: [Post] = []
    private var pacing = BatchPacing()
    /// Batches that have ended in PostgreSQL, but not all of whose posts have been answered.
    private var completing = 0
    /// A batch has been requested and not been taken yet.
    private var isRequested = false
    private var isRunning = false
    private var isStopped = false
    private var onEnd: (@Sendable () -> Void)?

    /// - Parameters:
    ///   - batchSize: posts in a batch, at most.
    ///   - capacity: posts that may wait.
    init(batchSize: Int, capacity: Int) {
        self.batchSize = batchSize
        self.capacity = capacity
    }

    /// - Returns: whether the caller has to request a batch, see ``requestBatch()``.
    /// - Throws: `unavailable` if the queue is full or stopped.
    mutating func append(_ draft: MessageDraft, _ reply: @escaping PostOutcome.Reply) throws(ChatError) -> Bool {
        if isStopped { throw .unavailable("This server is stopping") }
        if waiting.count >= capacity { throw .unavailable("Too many posts are waiting") }
        waiting.append((draft, reply))
        return requestBatch()
    }

    /// - Returns: `true` if a batch is due and has not been requested yet; then once until ``take()``.
    mutating func requestBatch() -> Bool {
        guard isRunning, !isRequested, !waiting.isEmpty else { return false }
        let minimum = pacing.minimum(limit: batchSize)
        // A stopping queue gets no more posts, so it does not wait for a larger batch.
        guard waiting.count >= (isStopped && minimum < .max ? 1 : minimum) else { return false }
        isRequested = true
        return true
    }

    /// - Returns: the posts of the next batch, which counts as in flight until ``ended(_:)``.
    mutating func take() -> [Post] {
        isRequested = false
        var posts = waiting
        if posts.count <= batchSize {
            waiting = []
            // The next batch will be about as large.
            waiting.reserveCapacity(posts.count)
        } else {
            posts = Array(posts.prefix(batchSize))
            waiting.removeFirst(batchSize)
        }
        if !posts.isEmpty { pacing.sent(posts.count) }
        return posts
    }

    /// A batch of this many posts is committed or has failed. Its posts are answered from now on until ``completed()``.
    mutating func ended(_ count: Int) {
        pacing.ended(count)
        completing += 1
    }

    /// All posts of a batch that has ended are answered.
    mutating func completed() { completing -= 1 }

    // MARK: Start and stop

    /// - Parameter onEnd: called once, when all posts that waited at ``stop()`` are answered.
    mutating func start(onEnd: @escaping @Sendable () -> Void) {
        isRunning = true
        self.onEnd = onEnd
    }

    /// Takes no more posts.
    mutating func stop() { isStopped = true }

    /// Stops, where nothing can be stored any more.
    /// - Returns: the posts that waited.
    mutating func abandon() -> [Post] {
        isStopped = true
        isRequested = false
        defer { waiting.removeAll() }
        return waiting
    }

    /// - Returns: the closure given to ``start(onEnd:)``, once, when the queue has stopped and everything is answered.
    mutating func takeEnd() -> (@Sendable () -> Void)? {
        guard isRunning, isStopped, waiting.isEmpty, pacing.isIdle, completing == 0 else { return nil }
        return onEnd.take()
    }
}

/// When the next batch may follow those in flight. Pure: no I/O.
///
/// PostgreSQL should find a batch when it is done with one, but few large batches cost less than many small ones. So a
/// second one is sent behind the first as soon as it is at least as large, and no small one at all: PostgreSQL carries
/// them out one after the other in any case. Later posts gather for a third.
struct BatchPacing {
    private static let depth = 2

    /// Posts that make a second batch worth its cost.
    private static let worthwhile = 16

    /// The sizes of the batches in flight.
    private var inFlight: [Int] = []

    var isIdle: Bool { inFlight.isEmpty }

    /// The number of posts that must wait before another batch is sent; `Int.max` while none may be.
    /// - Parameter limit: posts in a batch, at most.
    func minimum(limit: Int) -> Int {
        guard inFlight.count < Self.depth else { return .max }
        return min(inFlight.first.map { max($0, Self.worthwhile) } ?? 1, limit)
    }

    mutating func sent(_ count: Int) { inFlight.append(count) }

    mutating func ended(_ count: Int) {
        if let index = inFlight.firstIndex(of: count) { inFlight.remove(at: index) }
    }
}

/// Whether a batch is stored without validation of its drafts, all or nothing. Pure: no I/O.
///
/// Almost every post passes, and a batch in which all do costs PostgreSQL a fifth less without validation. One that is
/// refused is stored again with validation, at the cost of the first attempt. Posts that do not pass come together
/// (repeated ones after a failure, those of a client that tries again and again). So after a start and after a failure
/// batches are validated for a while.
struct OptimisticBatches {
    /// The number of batches that are validated after a failure.
    private let span: Int
    private var remaining: Int

    init(validatedSpan span: Int) {
        self.span = span
        remaining = span
    }

    /// - Returns: whether the next batch is to be stored all or nothing.
    mutating func isNextOptimistic() -> Bool {
        guard remaining > 0 else { return true }
        remaining -= 1
        return false
    }

    /// A batch failed: some of its posts do not pass, or will come again.
    mutating func failed() { remaining = span }
}
