import CommonUtil
import PostgresClient

/// A batch on its way to PostgreSQL and back.
struct InFlightBatch: Sendable {
    let batch: MessageBatch<MessageWriter.Reply>
    /// Posts, repeated ones too.
    let count: Int
    let start = ContinuousClock.now
    private(set) var commands: [PostgresCommand]
    private(set) var attempt = 1
    private var backoff = Backoff(first: .milliseconds(2), longest: .milliseconds(100))
    private let isOpen: Bool
    private var kind: MessageBatchStatements.Kind

    init(_ posts: [WriterQueue.Post], isOpen: Bool, _ kind: MessageBatchStatements.Kind) {
        var batch = MessageBatch<MessageWriter.Reply>(capacity: posts.count)
        for (draft, reply) in posts { batch.add(draft, reply: reply) }
        self.batch = batch
        self.isOpen = isOpen
        self.kind = kind
        count = posts.count
        commands = MessageBatchStatements.commands(for: batch.entries.map(\.draft), isOpen: isOpen, kind)
    }

    mutating func nextAttempt() -> Duration {
        attempt += 1
        return backoff.next()
    }

    /// For a batch that was refused as a whole.
    /// - Returns: whether it was stored on trust and will be judged now.
    mutating func judge() -> Bool {
        guard kind == .optimistic else { return false }
        kind = .validated
        commands = MessageBatchStatements.commands(for: batch.entries.map(\.draft), isOpen: isOpen, kind)
        return true
    }
}
