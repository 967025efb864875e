/// Checks what a process with a client library did against the logs: the promises of `docs/clients.md`. Pure: no I/O.
struct LibraryClientCheck {
    /// An entry of a room's log with what its message holds now.
    struct Entry: Sendable, Equatable {
        var seq: Int
        var eventMark: String
        var kind: String
        var messageID: Int?
        var key: String?
        var contentJson: String?
    }

    /// PostgreSQL lost the end of the logs.
    struct LogLoss: Sendable, Equatable {
        /// The last `seq` that was kept, by room.
        var kept: [String: Int]
        /// The last `seq` that there was.
        var lost: [String: Int]

        func loses(_ seq: Int, of room: String) -> Bool { seq > kept[room] ?? 0 && seq <= lost[room] ?? 0 }
    }

    /// What can be wrong.
    enum Flaw: String, CaseIterable, Sendable {
        case store = "rooms whose store differs from the log"
        case heardTwice = "events heard twice or out of order"
        case heardWithGap = "events missing between two that one process heard"
        case applied = "events not dealt with exactly once"
        case namedMissing = "events that a named reader missed"
        case namedAgain = "events that a named reader got again without a kill"
        case beganAgain = "readers that began again without a reason"
        case lostPost = "kept posts that are not stored"
        case doubledPost = "posts stored twice"
        case reorderedPost = "posts stored out of order"
        case wrongEnd = "posts whose client was informed wrongly"
    }

    /// Events kept by the store, and not yet handed on when the process was killed, are not handed on again. They are
    /// those of one step, which has at most 1,000 frames.
    static let largestSkipAtKill = 1000

    private(set) var counts: [Flaw: Int] = [:]
    private(set) var examples: [String] = []
    let logs: [String: [Entry]]
    let loss: LogLoss?

    /// Checks one process.
    /// - Parameter logs: each room's whole log.
    init(
        _ record: LibraryClientRecord, store: LibraryClientRecord.Store, logs: [String: [Entry]], named: Set<String>,
        loss: LogLoss? = nil
    ) {
        self.logs = logs
        self.loss = loss
        for (room, log) in logs.sorted(by: { $0.key < $1.key }) {
            check(store: store.rooms[room] ?? [], log, record.name, room)
            check(heard: record, log, room)
            check(applied: record.applied.filter { $0.room == room }, log, record.name, room)
            guard named.contains(room) else { continue }
            check(named: record.named.filter { $0.room == room }, log, record.name, room, kills: record.kills)
        }
        check(posts: record)
        let open = store.outbox.count
        note(.lostPost, count: open, "\(record.name): \(open) posts never left")
    }

    /// Checks the order in which posts of all processes on one store were stored: the order in which they were kept.
    init(lineOf records: [LibraryClientRecord], logs: [String: [Entry]]) {
        self.logs = logs
        loss = nil
        let posts = Dictionary(
            records.flatMap(\.kept).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        for (room, log) in logs.sorted(by: { $0.key < $1.key }) {
            var later: LibraryClientRecord.KeptPost?
            for post in log.reversed().lazy.filter({ $0.kind == History.messageKind }).compactMap({
                posts[$0.key ?? ""]
            }) {
                // One that was kept before another was even asked for.
                if let later, later.kept < post.asked {
                    note(.reorderedPost, "\(later.key) was kept before \(post.key), and is stored after it in \(room)")
                }
                if post.kept < later?.kept ?? .max { later = post }
            }
        }
    }

    var problems: [String] {
        Flaw.allCases.compactMap { flaw in counts[flaw].map { "\($0) \(flaw.rawValue)" } }
    }

    mutating func note(_ flaw: Flaw, count: Int = 1, _ example: @autoclosure () -> String) {
        guard count > 0 else { return }
        counts[flaw, default: 0] += count
        if examples.count < 10 { examples.append(example()) }
    }
}

extension LibraryClientCheck {
    /// The store holds the newest messages without a gap, as they are now.
    private mutating func check(
        store: [LibraryClientRecord.Message], _ log: [Entry], _ name: String, _ room: String
    ) {
        let all = Self.messages(of: log)
        guard let first = store.first else {
            note(.store, count: all.isEmpty ? 0 : 1, "\(name) kept nothing of \(room)")
            return
        }
        let due = all.filter { $0.seq >= first.seq }
        guard store != due else { return }
        let missing = due.first { !store.contains($0) }
        note(
            .store,
            "\(name), \(room): \(store.count) messages kept, \(due.count) due, e.g. \(missing.map { "\($0)" } ?? "one too many")"
        )
    }

    /// The messages of a log as edits and deletions left them.
    static func messages(of log: [Entry]) -> [LibraryClientRecord.Message] {
        let edited = Set(log.lazy.filter { $0.kind == History.editKind }.compactMap(\.messageID))
        let deleted = Set(log.lazy.filter { $0.kind == History.deletionKind }.compactMap(\.messageID))
        return log.compactMap { entry in
            guard entry.kind == History.messageKind, let id = entry.messageID else { return nil }
            return LibraryClientRecord.Message(
                seq: entry.seq, messageId: id, contentJson: entry.contentJson ?? "", isEdited: edited.contains(id),
                isDeleted: deleted.contains(id))
        }
    }
}
