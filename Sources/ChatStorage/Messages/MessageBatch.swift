import ChatEvents
import CommonUtil
import PostgresClient

/// Drafts that share one transaction, with those who wait for them. Pure: no I/O.
///
/// A batch holds each key once, since the unique index would refuse the second row and with it the batch. Later drafts
/// of a key are followers of the first one and share its outcome.
struct MessageBatch<Reply: Sendable>: Sendable {
    /// A draft, the closure that gets its outcome, and its followers.
    struct Entry: Sendable {
        let draft: MessageDraft
        let reply: Reply
        /// Drafts of the same key that came while this one waited.
        var followers: [(draft: MessageDraft, reply: Reply)] = []
    }

    private(set) var entries: [Entry] = []
    private var entryOfKey: [IdempotencyKey: Int] = [:]

    /// - Parameter capacity: the expected number of drafts.
    init(capacity: Int = 0) {
        entries.reserveCapacity(capacity)
        entryOfKey.reserveCapacity(capacity)
    }

    mutating func add(_ draft: MessageDraft, reply: Reply) {
        guard let key = draft.idempotencyKey else {
            entries.append(Entry(draft: draft, reply: reply))
            return
        }
        if let index = entryOfKey.updateValue(entries.count, forKey: key) {
            entryOfKey[key] = index
            entries[index].followers.append((draft, reply))
        } else {
            entries.append(Entry(draft: draft, reply: reply))
        }
    }

    /// The outcome that a follower shares.
    /// - Returns: `nil` if the follower is another request with the same key, and has to be posted by itself.
    static func outcome(of follower: MessageDraft, after leader: MessageDraft, _ outcome: PostOutcome) -> PostOutcome? {
        guard follower.requestHash == leader.requestHash else { return nil }
        if case .stored(let posted) = outcome { return .repeated(posted.message) }
        return outcome
    }
}

/// A batch that has been sent to PostgreSQL and not been completed.
struct InFlightBatch: Sendable {
    let batch: MessageBatch<PostOutcome.Reply>
    /// Posts in it, followers included.
    let count: Int
    let start = ContinuousClock.now
    /// The statements of the current attempt.
    private(set) var commands: [PostgresCommand]
    private(set) var attempt = 1
    private var backoff = Backoff(first: .milliseconds(2), longest: .milliseconds(100))
    private let isOpen: Bool
    private var kind: MessageBatchStatements.Kind

    /// - Parameter isOpen: whether public rooms take posts from non-members (`trusted` mode).
    init(_ posts: [WriterQueue.Post], isOpen: Bool, _ kind: MessageBatchStatements.Kind) {
        var batch = MessageBatch<PostOutcome.Reply>(capacity: posts.count)
        for (draft, reply) in posts { batch.add(draft, reply: reply) }
        self.batch = batch
        self.isOpen = isOpen
        self.kind = kind
        count = posts.count
        commands = MessageBatchStatements.commands(for: batch.entries.map(\.draft), isOpen: isOpen, kind)
    }

    /// Begins another attempt.
    /// - Returns: the time to wait before it is sent.
    mutating func nextAttempt() -> Duration {
        attempt += 1
        return backoff.next()
    }

    /// Switches to validating each draft, after the batch was refused as a whole.
    /// - Returns: `false` if the drafts were validated already.
    mutating func requireValidation() -> Bool {
        guard kind == .optimistic else { return false }
        kind = .validated
        commands = MessageBatchStatements.commands(for: batch.entries.map(\.draft), isOpen: isOpen, kind)
        return true
    }
}
