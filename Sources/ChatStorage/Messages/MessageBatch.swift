import ChatEvents
import CommonUtil

/// Gathers drafts for one transaction. Pure: no I/O.
///
/// A key may stand in a batch once, since the unique index would refuse the second row and with it the batch.
/// Later drafts of a key follow the first one: they share its outcome.
struct MessageBatch<Reply: Sendable>: Sendable {
    struct Entry: Sendable {
        let draft: MessageDraft
        let reply: Reply
        /// Drafts of the same key that came while this one waited.
        var followers: [(draft: MessageDraft, reply: Reply)] = []
    }

    private(set) var entries: [Entry] = []
    private var entryOfKey: [IdempotencyKey: Int] = [:]

    /// - Parameter capacity: how many drafts are likely to come.
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

    /// What a follower is told.
    /// - Returns: `nil` where the first draft's outcome says nothing about it and it must be tried by itself: the first
    ///   was refused, and the follower asks for something else.
    static func outcome(of follower: MessageDraft, after leader: MessageDraft, _ outcome: PostOutcome) -> PostOutcome? {
        guard follower.requestHash == leader.requestHash else { return nil }
        if case .stored(let posted) = outcome { return .repeated(posted.message) }
        return outcome
    }
}
