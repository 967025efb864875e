import ChatEvents
import CommonUtil
import Logging
import Metrics
import PostgresClient
import ServiceLifecycle

/// Commits posts in groups: while one batch is being committed the next one gathers. There is no timer; a lone post
/// goes out at once, and the busier it gets the more posts share a commit.
///
/// One lane, so that a room is committed and published in one order: whoever waits in ``post(_:)`` is answered after
/// `onCommit` was called with the events, and that is called in commit order.
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

    private let client: PostgresClient
    private let isOpen: Bool
    private let limits: Limits
    private let logger: Logger
    private let onCommit: @Sendable ([RoomEvent]) -> Void
    private let queue: BatchQueue<(MessageDraft, Reply)>

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

    /// Stores a message. `reply` is called once it is committed, or refused, or failed: with `unavailable` (503) where the queue is full or PostgreSQL did not answer. If the answer to the commit
    ///   was lost the message may be stored; a post with a key can be sent again.
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

    /// Commits until graceful shutdown; what waits then is still committed. Cancelled, it refuses what waits.
    public func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            while let waiting = await queue.next(upTo: limits.batchSize) {
                var batch = MessageBatch<Reply>()
                for (draft, reply) in waiting { batch.add(draft, reply: reply) }
                await commit(batch)
            }
        } onCancelOrGracefulShutdown: {
            self.queue.stop()
        }
    }

    private func commit(_ batch: MessageBatch<Reply>) async {
        batchSizes.record(batch.entries.count)
        let start = ContinuousClock.now
        do {
            let outcomes = try await store(batch.entries.map(\.draft))
            commitTimes.record(duration: .now - start)
            let messages = outcomes.compactMap { outcome in
                if case .success(.stored(let message)) = outcome { message } else { nil }
            }
            stored.increment(by: messages.count)
            onCommit(messages.map { RoomEvent(roomID: $0.roomID, seq: $0.seq, change: .message($0)) })
            for (entry, outcome) in zip(batch.entries, outcomes) { answer(entry, outcome) }
        } catch {
            for entry in batch.entries { answer(entry, .failure(error)) }
        }
    }

    private func answer(_ entry: MessageBatch<Reply>.Entry, _ result: Result<PostOutcome, any Error>) {
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

    // MARK: Storing

    /// - Returns: an outcome for each draft, in order.
    private func store(_ drafts: [MessageDraft]) async throws -> [Result<PostOutcome, any Error>] {
        let commands = MessageBatchStatements.commands(for: drafts, isOpen: isOpen)
        var backoff = Backoff(first: .milliseconds(2), longest: .milliseconds(100))
        for attempt in 1... {
            do throws(PostgresError) {
                let rows = try await client.batch(commands)[1]
                return try await outcomes(rows, of: drafts)
            } catch {
                // The server refused the transaction, so nothing of it is stored and it can be tried again.
                if Self.lostAgainstAnother(error), attempt < limits.attempts {
                    try? await Task.sleep(for: backoff.next())
                    continue
                }
                logger.warning("a batch of posts was not committed", metadata: ["reason": "\(error)"])
                throw Self.told(error)
            }
        }
        throw ChatError(.internalError)
    }

    /// What they are told who wait for a batch that failed.
    private static func told(_ error: PostgresError) -> any Error {
        switch error {
        case .closed, .cancelled: ChatDatabase.unavailable(error)
        default: error.isTransient || error.isOutcomeUnknown ? ChatDatabase.unavailable(error) : error
        }
    }

    /// The same key in another server's batch, or a lock circle that PostgreSQL broke.
    private static func lostAgainstAnother(_ error: PostgresError) -> Bool {
        switch error.sqlState {
        case .uniqueViolation, .deadlockDetected, .serializationFailure: true
        default: false
        }
    }

    private func outcomes(
        _ rows: PostgresRows, of drafts: [MessageDraft]
    ) async throws(PostgresError) -> [Result<PostOutcome, any Error>] {
        var outcomes = [Result<PostOutcome, any Error>](
            repeating: .success(.refused(.roomNotFound)), count: drafts.count)
        var priorIDs: [(index: Int, messageID: MessageID)] = []
        for row in rows {
            let ordinal = try row.decode(column: 0, as: Int.self)
            let verdict = try row.decode(column: 1, as: String.self)
            if let refusal = PostRefusal(rawValue: verdict) {
                outcomes[ordinal] = .success(.refused(refusal))
            } else if verdict == MessageBatchStatements.repeated {
                priorIDs.append((ordinal, MessageID(try row.decode(column: 5))))
            } else {
                let message = Message(
                    MessageID(try row.decode(column: 2)), try row.decode(column: 3), drafts[ordinal],
                    sentAt: try row.timestamp(column: 4))
                outcomes[ordinal] = .success(.stored(message))
            }
        }
        guard !priorIDs.isEmpty else { return outcomes }
        do throws(PostgresError) {
            let messages = try await priors(priorIDs.map(\.messageID))
            for (index, messageID) in priorIDs {
                if let message = messages[messageID] { outcomes[index] = .success(.repeated(message)) }
            }
        } catch {
            // The batch is committed: its other posts must be told whatever becomes of these.
            for (index, _) in priorIDs { outcomes[index] = .failure(Self.told(error)) }
        }
        return outcomes
    }

    private func priors(_ messageIDs: [MessageID]) async throws(PostgresError) -> [MessageID: Message] {
        var messages: [MessageID: Message] = [:]
        for row in try await client.batch([MessageBatchStatements.priorCommand(messageIDs)])[0] {
            let message = try Message(row)
            messages[message.messageID] = message
        }
        return messages
    }
}

extension Message {
    /// A draft that became a message.
    init(_ messageID: MessageID, _ seq: Seq, _ draft: MessageDraft, sentAt: Timestamp) {
        self.init(
            messageID: messageID, roomID: draft.roomID, seq: seq, senderID: draft.senderID, type: draft.type,
            contentJSON: draft.contentJSON, sentAt: sentAt, replyToMessageID: draft.replyToMessageID,
            clientMessageID: draft.clientMessageID)
    }
}
