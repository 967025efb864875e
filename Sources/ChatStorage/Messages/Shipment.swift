import CommonUtil
import PostgresClient

/// A batch on its way to PostgreSQL and back.
struct Shipment: Sendable {
    let batch: MessageBatch<MessageWriter.Reply>
    /// Posts, repeated ones too.
    let count: Int
    let start = ContinuousClock.now
    private(set) var commands: [PostgresCommand]
    private(set) var attempt = 1
    private var backoff = Backoff(first: .milliseconds(2), longest: .milliseconds(100))
    private let isOpen: Bool
    private var looksUpKeys: Bool

    init(_ posts: [WriterQueue.Post], isOpen: Bool, looksUpKeys: Bool) {
        var batch = MessageBatch<MessageWriter.Reply>()
        for (draft, reply) in posts { batch.add(draft, reply: reply) }
        self.batch = batch
        self.isOpen = isOpen
        self.looksUpKeys = looksUpKeys
        count = posts.count
        commands = MessageBatchStatements.commands(
            for: batch.entries.map(\.draft), isOpen: isOpen, looksUpKeys: looksUpKeys)
    }

    mutating func nextAttempt() -> Duration {
        attempt += 1
        return backoff.next()
    }

    /// For a batch that was refused since one of its keys is taken.
    /// - Returns: whether it will look now and did not before.
    mutating func lookUpKeys() -> Bool {
        guard !looksUpKeys else { return false }
        looksUpKeys = true
        commands = MessageBatchStatements.commands(for: batch.entries.map(\.draft), isOpen: isOpen, looksUpKeys: true)
        return true
    }
}
