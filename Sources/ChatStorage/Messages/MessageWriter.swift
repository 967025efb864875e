import ChatEvents
import CommonUtil
import Logging
import Metrics
import PostgresClient
import ServiceLifecycle
import Synchronization

/// Commits posts in groups: while one batch is being committed the next one gathers. There is no timer; a lone post
/// goes out at once, and the busier it gets the more posts share a commit.
///
/// One lane, so that a room is committed and published in one order: whoever waits in ``post(_:)`` is answered after
/// `onCommit` was called with the messages, and that is called in commit order. At most two batches are under way, the
/// second behind the first on the same connection (``BatchPacing``). A batch that is refused as a whole and stored again
/// (``OptimisticBatches``) comes after that second one: posts that nobody waited for before sending the next have no order.
///
/// Batches are put together and taken apart on the PostgreSQL client's thread: a batch wakes no thread but that one and
/// those that wait for its posts. What gathers until it wakes shares the batch.
public final class MessageWriter: Service {
    /// Bounds of the writer.
    public struct Limits: Sendable {
        /// Posts that share one transaction.
        public var batchSize = 256
        /// Posts that wait for theirs; further ones are refused with `unavailable`.
        public var queueLength = 16_384
        /// Tries of one batch that lost against another transaction. Nothing of it was stored before the next try.
        public var attempts = 8
        /// Batches whose posts are judged one by one, after a start or a failure, before others are stored all or
        /// nothing. So thin is the cost of one refused batch spread that even one who posts what is refused for ever
        /// slows the others by little more than that judging.
        public var validatedSpan = 64

        public init() {}
    }

    /// Called once, in the writer's lane, which waits for it.
    public typealias Reply = @Sendable (Result<PostOutcome, any Error>) -> Void

    private let client: PostgresClient
    private let isOpen: Bool
    private let logger: Logger
    private let onCommit: @Sendable ([PostedMessage]) -> Void
    private let attempts: Int
    private let lane = PostgresLane()
    private let queue: Mutex<WriterQueue>
    private let optimism: Mutex<OptimisticBatches>

    private let stored = Counter(label: "chat_messages_stored_total")
    private let batchSizes = Recorder(label: "chat_message_batch_size")
    private let warnings = Mutex(Throttle(interval: .seconds(1)))
    private let commitTimes = Metrics.Timer(label: "chat_message_commit_seconds")

    /// - Parameters:
    ///   - isOpen: whether public rooms take posts of those who are no members (`trusted` mode).
    ///   - onCommit: told every committed message, in `seq` order for each room. Must not block.
    public init(
        client: PostgresClient, isOpen: Bool, limits: Limits = Limits(), logger: Logger,
        onCommit: @escaping @Sendable ([PostedMessage]) -> Void
    ) {
        self.client = client
        self.isOpen = isOpen
        self.logger = logger
        self.onCommit = onCommit
        attempts = limits.attempts
        optimism = Mutex(OptimisticBatches(validatedSpan: limits.validatedSpan))
        queue = Mutex(WriterQueue(batchSize: limits.batchSize, capacity: limits.queueLength))
    }

    /// Stores a message. `reply` is called once it is committed, or refused, or failed: with `unavailable` (503) where
    /// the queue is full or PostgreSQL did not answer. If the answer to the commit was lost the message may be stored; a
    /// post with a key can be sent again.
    public func post(_ draft: MessageDraft, reply: @escaping Reply) {
        do {
            if try queue.withLock({ queue throws(ChatError) in try queue.append(draft, reply) }) { requestBatch() }
        } catch {
            reply(.failure(error))
        }
    }

    /// As ``post(_:reply:)``.
    public func post(_ draft: MessageDraft) async throws -> PostOutcome {
        try await withCheckedThrowingContinuation { continuation in
            post(draft) { continuation.resume(with: $0) }
        }
    }

    // MARK: Beginning and end

    /// Commits until graceful shutdown or cancellation; what waits then is still committed.
    public func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withCheckedContinuation { continuation in
                change { queue in queue.start { continuation.resume() } }
            }
        } onCancelOrGracefulShutdown: {
            self.change { queue in queue.stop() }
        }
    }

    /// Does what a change of the queue gives rise to.
    private func change(_ change: (inout WriterQueue) -> Void) {
        let (isBatchDue, hasEnded) = queue.withLock { queue in
            change(&queue)
            return (queue.requestBatch(), queue.takeEnd())
        }
        if isBatchDue { requestBatch() }
        hasEnded?()
    }

    // MARK: The lane, on the client's thread

    private func requestBatch() {
        if client.execute({ self.sendBatch() }) { return }
        // The client is gone, and with it all that could still be stored.
        var waiting: [WriterQueue.Post] = []
        change { waiting = $0.abandon() }
        for (_, reply) in waiting { reply(.failure(ChatDatabase.told(.closed))) }
    }

    private func sendBatch() {
        let posts = queue.withLock { $0.take() }
        guard !posts.isEmpty else { return }
        batchSizes.record(posts.count)
        let isOptimistic = optimism.withLock { $0.isNextOptimistic() }
        send(InFlightBatch(posts, isOpen: isOpen, isOptimistic ? .optimistic : .validated))
    }

    private func send(_ batch: InFlightBatch) {
        client.batch(batch.commands, in: lane) { self.answered(batch, $0) }
    }

    private func answered(_ batch: InFlightBatch, _ answer: Result<[PostgresRows], PostgresError>) {
        if case .failure(let error) = answer {
            optimism.withLock { $0.failed() }
            // Nothing of it is stored, so it can be tried again.
            if MessageBatchStatements.isRefusal(error) {
                var next = batch
                if next.judge() { return send(next) }
            }
            if error.isRetryableConflict, batch.attempt < attempts { return retry(batch) }
        }
        // First, so that the next batch goes out before these posts are told.
        change { $0.answered(batch.count) }
        client.afterSending {
            self.conclude(batch.batch.entries, answer, start: batch.start) { self.change { $0.told() } }
        }
    }

    /// - Parameter whenTold: called once all posts are told what became of them.
    private func conclude(
        _ entries: [MessageBatch<Reply>.Entry], _ answer: Result<[PostgresRows], PostgresError>,
        start: ContinuousClock.Instant, whenTold: @escaping @Sendable () -> Void
    ) {
        do throws(PostgresError) {
            let outcomes = try BatchOutcomes(answer.get()[1], of: entries.map(\.draft))
            commitTimes.record(duration: .now - start)
            let posted = outcomes.posted
            stored.increment(by: posted.count)
            onCommit(posted)
            for (entry, outcome) in zip(entries, outcomes.outcomes) {
                if let outcome { tell(entry, outcome.mapError { $0 }) }
            }
            if !outcomes.priors.isEmpty { return tell(outcomes.priors, entries, whenTold: whenTold) }
        } catch {
            // While the database refuses them there is one for each few posts.
            if let count = warnings.withLock({ $0.pass(now: .now) }) {
                logger.warning(
                    "batches of posts were not committed",
                    metadata: ["reason": "\(error)", "count": .stringConvertible(count)])
            }
            for entry in entries { tell(entry, .failure(ChatDatabase.told(error))) }
        }
        whenTold()
    }

    /// The server refused the transaction for another's sake.
    private func retry(_ batch: InFlightBatch) {
        var next = batch
        let wait = next.nextAttempt()
        Task { [next] in
            // Not cancelled by anyone: those who posted wait for an answer in any case.
            try? await Task.sleep(for: wait)
            send(next)
        }
    }

    // MARK: Answering

    /// Repeated keys: what they stand for has to be read first. The batch is committed, so its other posts must be told
    /// whatever becomes of these.
    private func tell(
        _ priors: [(index: Int, messageID: MessageID)], _ entries: [MessageBatch<Reply>.Entry],
        whenTold: @escaping @Sendable () -> Void
    ) {
        Task {
            let found = await BatchOutcomes.read(priors.map(\.messageID), with: client)
            for (index, messageID) in priors {
                let outcome = found.flatMap { messages -> Result<PostOutcome, any Error> in
                    guard let message = messages[messageID] else {
                        return .failure(PostgresError.decoding("a repeated key stands for no message"))
                    }
                    return .success(.repeated(message))
                }
                tell(entries[index], outcome)
            }
            whenTold()
        }
    }

    private func tell(_ entry: MessageBatch<Reply>.Entry, _ result: Result<PostOutcome, any Error>) {
        entry.reply(result)
        guard case .success(let outcome) = result else {
            for follower in entry.followers { follower.reply(result) }
            return
        }
        for (draft, reply) in entry.followers {
            if let outcome = MessageBatch<Reply>.outcome(of: draft, after: entry.draft, outcome) {
                reply(.success(outcome))
            } else {
                post(draft, reply: reply)
            }
        }
    }
}

extension PostgresError {
    /// The same key in another server's batch, or a lock circle that PostgreSQL broke.
    fileprivate var isRetryableConflict: Bool {
        switch sqlState {
        case .uniqueViolation, .deadlockDetected, .serializationFailure: true
        default: false
        }
    }
}
