import ChatEvents
import CommonUtil
import Logging
import Metrics
import NIOConcurrencyHelpers
import PostgresClient
import ServiceLifecycle

/// Commits posts in groups: while one batch is being committed the next one gathers. There is no timer; a lone post
/// goes out at once, and the busier it gets the more posts share a commit.
///
/// One lane, so that a room is committed and published in one order: whoever waits in ``post(_:)`` is answered after
/// `onCommit` was called with the events, and that is called in commit order. At most two batches are under way, the
/// second behind the first on the same connection (``BatchPacing``).
public final class MessageWriter: Service {
    /// Bounds of the writer.
    public struct Limits: Sendable {
        /// Posts that share one transaction.
        public var batchSize = 256
        /// Posts that wait for theirs; further ones are refused with `unavailable`.
        public var queueLength = 16_384
        /// Tries of one batch that lost against another transaction. Nothing of it was stored before the next try.
        public var attempts = 8

        public init() {}
    }

    /// Called once, in the writer's lane, which waits for it.
    public typealias Reply = @Sendable (Result<PostOutcome, any Error>) -> Void

    /// A batch on its way to PostgreSQL and back.
    private struct Shipment: Sendable {
        let batch: MessageBatch<Reply>
        let commands: [PostgresCommand]
        let start = ContinuousClock.now
        var attempt = 1
        var backoff = Backoff(first: .milliseconds(2), longest: .milliseconds(100))
    }

    private struct Progress {
        var pacing = BatchPacing()
        /// Nothing will be sent any more.
        var isEnding = false
    }

    private let client: PostgresClient
    private let isOpen: Bool
    private let limits: Limits
    private let logger: Logger
    private let onCommit: @Sendable ([RoomEvent]) -> Void
    private let queue: BatchQueue<(MessageDraft, Reply)>
    private let lane = PostgresLane()
    private let progress = NIOLockedValueBox(Progress())
    /// Batches that PostgreSQL has answered; no more than are under way.
    private let answered = BatchQueue<(Shipment, Result<[PostgresRows], PostgresError>)>(capacity: .max)

    private let stored = Counter(label: "chat_messages_stored_total")
    private let batchSizes = Recorder(label: "chat_message_batch_size")
    private let commitTimes = Metrics.Timer(label: "chat_message_commit_seconds")

    /// - Parameters:
    ///   - isOpen: whether public rooms take posts of those who are no members (`trusted` mode).
    ///   - onCommit: told every committed event, in `seq` order for each room. Must not block.
    public init(
        client: PostgresClient, isOpen: Bool, limits: Limits = Limits(), logger: Logger,
        onCommit: @escaping @Sendable ([RoomEvent]) -> Void
    ) {
        self.client = client
        self.isOpen = isOpen
        self.limits = limits
        self.logger = logger
        self.onCommit = onCommit
        queue = BatchQueue(capacity: limits.queueLength)
    }

    /// Stores a message. `reply` is called once it is committed, or refused, or failed: with `unavailable` (503) where
    /// the queue is full or PostgreSQL did not answer. If the answer to the commit was lost the message may be stored; a
    /// post with a key can be sent again.
    public func post(_ draft: MessageDraft, reply: @escaping Reply) {
        do {
            try queue.append((draft, reply))
        } catch {
            let reason = error == .full ? "Too many posts are waiting" : "This server is stopping"
            reply(.failure(ChatError.unavailable(reason)))
        }
    }

    /// As ``post(_:reply:)``.
    public func post(_ draft: MessageDraft) async throws -> PostOutcome {
        try await withCheckedThrowingContinuation { continuation in
            post(draft) { continuation.resume(with: $0) }
        }
    }

    // MARK: The lane

    /// Commits until graceful shutdown or cancellation; what waits then is still committed.
    public func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.sendBatches() }
                while let answers = await answered.next(upTo: limits.batchSize) {
                    for (shipment, answer) in answers {
                        if let retry = retry(of: shipment, after: answer) {
                            group.addTask { await retry() }
                        } else {
                            await conclude(shipment, answer)
                        }
                    }
                }
            }
        } onCancelOrGracefulShutdown: {
            self.queue.stop()
        }
    }

    private func sendBatches() async {
        while let waiting = await queue.next(upTo: limits.batchSize) {
            var batch = MessageBatch<Reply>()
            for (draft, reply) in waiting { batch.add(draft, reply: reply) }
            let count = batch.entries.count
            update { $0.pacing.sent(count) }
            batchSizes.record(count)
            send(
                Shipment(
                    batch: batch,
                    commands: MessageBatchStatements.commands(for: batch.entries.map(\.draft), isOpen: isOpen)))
        }
        update { $0.isEnding = true }
    }

    private func send(_ shipment: Shipment) {
        client.batch(shipment.commands, in: lane) { [answered] in
            // Refused by a stopped queue alone, and that stops when nothing is under way.
            try? answered.append((shipment, $0))
        }
    }

    /// Notes what was sent or has ended, and with that when the next batch may go out.
    private func update(_ change: (inout Progress) -> Void) {
        let hasEnded = progress.withLockedValue { progress in
            change(&progress)
            // Told under the lock, so that an older state cannot overtake a newer one.
            queue.setMinimum(progress.pacing.minimum(limit: limits.batchSize))
            return progress.isEnding && progress.pacing.isIdle
        }
        if hasEnded { answered.stop() }
    }

    private func conclude(_ shipment: Shipment, _ answer: Result<[PostgresRows], PostgresError>) async {
        let entries = shipment.batch.entries
        update { $0.pacing.ended(entries.count) }
        do throws(PostgresError) {
            let outcomes = try await BatchOutcomes(client: client).read(answer.get()[1], of: entries.map(\.draft))
            commitTimes.record(duration: .now - shipment.start)
            let messages = outcomes.compactMap { outcome in
                if case .success(.stored(let message)) = outcome { message } else { nil }
            }
            stored.increment(by: messages.count)
            onCommit(messages.map { RoomEvent(roomID: $0.roomID, seq: $0.seq, change: .message($0)) })
            for (entry, outcome) in zip(entries, outcomes) { tell(entry, outcome) }
        } catch {
            logger.warning("a batch of posts was not committed", metadata: ["reason": "\(error)"])
            for entry in entries { tell(entry, .failure(BatchOutcomes.told(error))) }
        }
    }

    /// The server refused the transaction for another's sake, so nothing of it is stored and it can be tried again.
    /// - Returns: `nil` where there is nothing to repeat.
    private func retry(
        of shipment: Shipment, after answer: Result<[PostgresRows], PostgresError>
    ) -> (@Sendable () async -> Void)? {
        guard case .failure(let error) = answer, error.hasLostAgainstAnother, shipment.attempt < limits.attempts else {
            return nil
        }
        var next = shipment
        next.attempt += 1
        let wait = next.backoff.next()
        return { [next] in
            // Cancelled, it is sent at once: those who posted wait for an answer in any case.
            try? await Task.sleep(for: wait)
            self.send(next)
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
    fileprivate var hasLostAgainstAnother: Bool {
        switch sqlState {
        case .uniqueViolation, .deadlockDetected, .serializationFailure: true
        default: false
        }
    }
}
