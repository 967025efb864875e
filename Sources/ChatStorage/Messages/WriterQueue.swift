import CommonUtil

/// What waits in a ``MessageWriter``, and when the next batch of it goes out. Pure: no I/O.
struct WriterQueue {
    typealias Reply = MessageWriter.Reply
    typealias Post = (draft: MessageDraft, reply: Reply)

    private let batchSize: Int
    private let capacity: Int
    private var waiting: [Post] = []
    private var pacing = BatchPacing()
    /// So many batches have been answered, and their posts not all told.
    private var beingTold = 0
    /// A batch has been called for and not been taken yet.
    private var isCalled = false
    private var isRunning = false
    private var isStopped = false
    private var onEnd: (@Sendable () -> Void)?

    init(batchSize: Int, capacity: Int) {
        self.batchSize = batchSize
        self.capacity = capacity
    }

    /// - Returns: whether a batch is due, for which nobody has called yet.
    /// - Throws: `unavailable` where the queue is full or stopped.
    mutating func append(_ draft: MessageDraft, _ reply: @escaping Reply) throws(ChatError) -> Bool {
        if isStopped { throw .unavailable("This server is stopping") }
        if waiting.count >= capacity { throw .unavailable("Too many posts are waiting") }
        waiting.append((draft, reply))
        return requestBatch()
    }

    /// - Returns: whether somebody has to call for a batch, which is true once until one is taken.
    mutating func requestBatch() -> Bool {
        guard isRunning, !isCalled, !waiting.isEmpty else { return false }
        let minimum = pacing.minimum(limit: batchSize)
        // At the end small batches are better than none.
        guard waiting.count >= (isStopped && minimum < .max ? 1 : minimum) else { return false }
        isCalled = true
        return true
    }

    /// - Returns: the posts of the next batch, which then is under way.
    mutating func take() -> [Post] {
        isCalled = false
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

    /// A batch of so many posts has been answered. They are told from now until ``told()``.
    mutating func answered(_ count: Int) {
        pacing.ended(count)
        beingTold += 1
    }

    mutating func told() { beingTold -= 1 }

    // MARK: Beginning and end

    /// - Parameter onEnd: called once all is stored and told that waited when the queue was stopped.
    mutating func start(onEnd: @escaping @Sendable () -> Void) {
        isRunning = true
        self.onEnd = onEnd
    }

    /// Takes no more posts.
    mutating func stop() { isStopped = true }

    /// Nothing of what waits can be stored any more.
    mutating func abandon() -> [Post] {
        isStopped = true
        isCalled = false
        defer { waiting.removeAll() }
        return waiting
    }

    /// - Returns: whom to tell that the end has come, once.
    mutating func takeEnd() -> (@Sendable () -> Void)? {
        guard isRunning, isStopped, waiting.isEmpty, pacing.isIdle, beingTold == 0 else { return nil }
        return onEnd.take()
    }
}
