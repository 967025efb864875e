import ChatEvents
import CommonUtil
import Logging
import Metrics
import PostgresClient
import ServiceLifecycle
import Synchronization

/// Commits posts in groups: while one batch is being committed the next one gathers. There is no timer; a lone post
/// is sent at once, and the busier it gets the more posts share a commit.
///
/// The way of a post: ``post(_:reply:)`` puts it into the ``WriterQueue``; a batch is taken from there as an
/// ``InFlightBatch`` and sent (``MessageBatchStatements``); the response is read as ``BatchOutcomes``; `onCommit`
/// publishes the stored messages, and then each post gets its ``PostOutcome``.
///
/// A post is answered after `onCommit` was called with its message. `onCommit` is called in the order of commits as long as
/// batches share a connection; readers put the events of a room in order anyway. At most two batches are in flight, the
/// second behind the first on the same connection (``BatchPacing``). A batch that is refused as a whole and stored again
/// (``OptimisticBatches``) comes after that second one: posts whose senders did not wait for each other have no order.
///
/// Batches are put together and taken apart on the PostgreSQL client's thread, so that a batch wakes no thread but that
/// one and those that wait for its posts. What gathers until it wakes shares the batch.
public final class MessageWriter: Service {
    /// Bounds of the writer.
    public struct Limits: Sendable {
        /// Posts that share one transaction.
        public var batchSize = 256
        /// Posts that wait for their transaction; further ones are refused with `unavailable`.
        public var queueLength = 16_384
        /// Attempts of one batch that lost a conflict with another transaction. Nothing of it was stored before.
        public var attempts = 8
        // Large enough to spread the cost of a refused batch: a client that keeps posting what is refused slows the
        // others by little more than validation does.
        /// Batches that are validated draft by draft, after a start or a failure, before others are stored all or
        /// nothing.
        public var validatedSpan = 64

        /// The defaults.
        public init() {}
    }

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
    ///   - isOpen: whether public rooms take posts from non-members (`trusted` mode).
    ///   - onCommit: called with every committed message, on the PostgreSQL client's thread. In the order of commits while
    ///     batches share a connection; readers must not rely on it. Must not block.
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

    /// Stores a message.
    /// - Parameter reply: called once: on the PostgreSQL client's thread, which must not be blocked; on the caller's where the queue
    ///   is full; in a task for a repeated key. The post is committed, refused, or has failed with `unavailable` (503), because the
    ///   queue is full or PostgreSQL did not respond. If the response to the commit was lost the message may be stored; a
    ///   post with a key can be sent again.
    public func post(_ draft: MessageDraft, reply: @escaping PostOutcome.Reply) {
        do {
            if try queue.withLock({ queue throws(ChatError) in try queue.append(draft, reply) }) { requestBatch() }
        } catch {
            reply(.failure(error))
        }
    }

    /// Stores a message, as ``post(_:reply:)``.
    public func post(_ draft: MessageDraft) async throws -> PostOutcome {
        try await withCheckedThrowingContinuation { continuation in
            post(draft) { continuation.resume(with: $0) }
        }
    }

    // MARK: Start and stop

    /// Commits until graceful shutdown or cancellation, and then what is waiting.
    public func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withCheckedContinuation { continuation in
                update { queue in queue.start { continuation.resume() } }
            }
        } onCancelOrGracefulShutdown: {
            self.update { queue in queue.stop() }
        }
    }

    /// Changes the queue, and requests a batch or ends ``run()`` where that is due then.
    private func update(_ change: (inout WriterQueue) -> Void) {
        let (isBatchDue, onEnd) = queue.withLock { queue in
            change(&queue)
            return (queue.requestBatch(), queue.takeEnd())
        }
        if isBatchDue { requestBatch() }
        onEnd?()
    }

    // MARK: Sending, on the client's thread

    private func requestBatch() {
        if client.execute({ self.sendBatch() }) { return }
        // The client is closed, so nothing can be stored any more.
        var waiting: [WriterQueue.Post] = []
        update { waiting = $0.abandon() }
        for (_, reply) in waiting { reply(.failure(ChatDatabase.clientError(for: .closed))) }
    }

    private func sendBatch() {
        let posts = queue.withLock { $0.take() }
        guard !posts.isEmpty else { return }
        batchSizes.record(posts.count)
        let isOptimistic = optimism.withLock { $0.isNextOptimistic() }
        send(InFlightBatch(posts, isOpen: isOpen, isOptimistic ? .optimistic : .validated))
    }

    private func send(_ batch: InFlightBatch) {
        client.batch(batch.commands, in: lane) { self.received($0, for: batch) }
    }

    /// Sends a batch again that lost a conflict with another transaction.
    private func retry(_ batch: InFlightBatch) {
        var next = batch
        let wait = next.nextAttempt()
        Task { [next] in
            // Never cancelled: the senders wait for an answer in any case.
            try? await Task.sleep(for: wait)
            send(next)
        }
    }

    // MARK: Completing, on the client's thread

    private func received(_ response: Result<[PostgresRows], PostgresError>, for batch: InFlightBatch) {
        if case .failure(let error) = response {
            optimism.withLock { $0.failed() }
            // Nothing of it is stored, so it can be tried again.
            if MessageBatchStatements.isRefusal(error) {
                var next = batch
                if next.requireValidation() { return send(next) }
            }
            if error.isRetryableConflict, batch.attempt < attempts { return retry(batch) }
        }
        // First, so that the next batch is sent before these posts are answered.
        update { $0.ended(batch.count) }
        client.afterSending {
            self.complete(batch.batch.entries, response, start: batch.start) { self.update { $0.completed() } }
        }
    }

    /// Publishes and answers the posts of a batch.
    /// - Parameter completion: called once, when all posts are answered.
    private func complete(
        _ entries: [MessageBatch<PostOutcome.Reply>.Entry], _ response: Result<[PostgresRows], PostgresError>,
        start: ContinuousClock.Instant, completion: @escaping @Sendable () -> Void
    ) {
        do throws(PostgresError) {
            let outcomes = try BatchOutcomes(response.get()[1], of: entries.map(\.draft))
            commitTimes.record(duration: .now - start)
            let posted = outcomes.posted
            stored.increment(by: posted.count)
            onCommit(posted)
            for (entry, outcome) in zip(entries, outcomes.outcomes) {
                if let outcome { complete(entry, outcome.mapError { $0 }) }
            }
            if !outcomes.priors.isEmpty { return complete(outcomes.priors, entries, completion: completion) }
        } catch {
            // While the database refuses them there is a failure for every few posts.
            if let count = warnings.withLock({ $0.pass(now: .now) }) {
                logger.warning(
                    "batches of posts were not committed",
                    metadata: ["reason": "\(error)", "count": .stringConvertible(count)])
            }
            for entry in entries { complete(entry, .failure(ChatDatabase.clientError(for: error))) }
        }
        completion()
    }

    /// Answers posts that repeat a key, once the messages stored under their keys have been read. The batch is
    /// committed: a failure to read them is a failure of these posts alone.
    private func complete(
        _ priors: [(index: Int, messageID: MessageID)], _ entries: [MessageBatch<PostOutcome.Reply>.Entry],
        completion: @escaping @Sendable () -> Void
    ) {
        Task {
            let repeated = await readRepeated(priors.map(\.messageID))
            for (index, messageID) in priors {
                complete(
                    entries[index],
                    repeated.flatMap { outcomes in
                        outcomes[messageID].map { .success($0) }
                            ?? .failure(PostgresError.decoding("no message is stored under a repeated key"))
                    })
            }
            completion()
        }
    }

    private func readRepeated(_ messageIDs: [MessageID]) async -> Result<[MessageID: PostOutcome], any Error> {
        do throws(PostgresError) {
            let command = MessageBatchStatements.priorCommand(messageIDs)
            return .success(try BatchOutcomes.repeated(try await client.batch([command])[0]))
        } catch {
            return .failure(ChatDatabase.clientError(for: error))
        }
    }

    /// Answers a post and its followers. A follower that is another request with the same key is posted by itself.
    private func complete(
        _ entry: MessageBatch<PostOutcome.Reply>.Entry, _ result: Result<PostOutcome, any Error>
    ) {
        entry.reply(result)
        guard case .success(let outcome) = result else {
            for follower in entry.followers { follower.reply(result) }
            return
        }
        for (draft, reply) in entry.followers {
            if let outcome = MessageBatch<PostOutcome.Reply>.outcome(of: draft, after: entry.draft, outcome) {
                reply(.success(outcome))
            } else {
                post(draft, reply: reply)
            }
        }
    }
}

extension PostgresError {
    /// The same key in another server's batch, or a lock circle that PostgreSQL broke.
    var isRetryableConflict: Bool {
        switch sqlState {
        case .uniqueViolation, .deadlockDetected, .serializationFailure: true
        default: false
        }
    }
}
