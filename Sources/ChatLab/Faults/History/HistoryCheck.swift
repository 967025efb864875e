/// The check of a whole history, in the manner of Jepsen: the log against the acknowledgements, and each session against the
/// log.
struct HistoryCheck: Sendable {
    enum Flaw: String, Sendable, CaseIterable {
        /// Acknowledged and not in the log, missing in the log, or in the log and missing at a session.
        case lost
        /// In the log, or at a session, more than once.
        case doubled
        /// At a session, or in the log, in another place than it should be.
        case reordered
        /// An event that no client sent, or that differs from the log's event of the same `seq`.
        case foreign
        /// A socket of a user who has left: it got later events, or was kept open.
        case leaked
        /// A session that had events that PostgreSQL lost, and was not closed with 4409.
        case uninformed
        /// Bytes that are kept for nobody: in the store without a row, in the spool, or of a file that was deleted.
        case leftover
    }

    let logLoss: History.LogLoss?
    private(set) var counts: [Flaw: Int] = [:]
    /// Acknowledged messages that a standby without the last commits does not have. They are no flaw of the servers.
    private(set) var lostByPostgres = 0
    /// The first flaws in words.
    private(set) var examples: [String] = []

    private static let exampleLimit = 12

    init(_ history: History) {
        logLoss = history.logLoss
        let posts = Dictionary(grouping: history.posts, by: \.room)
        for room in Set(posts.keys).union(history.logs.keys).union(history.sessions.map(\.room)).sorted() {
            let log = history.logs[room] ?? []
            check(log, of: room)
            check(posts[room] ?? [], against: log, of: room)
            check(history.changes.filter { $0.room == room }, against: log, of: room)
            check(members: history.memberChanges.filter { $0.room == room }, against: log, of: room)
            for session in history.sessions where session.room == room {
                checkAll(of: session, against: log)
                check(session.receipts, of: session, head: log.last?.seq ?? 0)
            }
            for visit in history.visits where visit.room == room { check(visit, against: log) }
        }
        checkMarks(of: history.logs)
        if let feed = history.changeFeed { check(feed, against: history.logs) }
        if let files = history.files { check(files, against: history.logs) }
    }

    var isClean: Bool { counts.isEmpty }

    func count(_ flaw: Flaw) -> Int { counts[flaw, default: 0] }

    mutating func note(_ flaw: Flaw, _ text: @autoclosure () -> String, count: Int = 1) {
        counts[flaw, default: 0] += count
        if examples.count < Self.exampleLimit { examples.append("\(flaw.rawValue): \(text())") }
    }

    // MARK: The log

    /// 1, 2, 3 … with no gap.
    private mutating func check(_ log: [History.LogEntry], of room: String) {
        var last = 0
        for entry in log {
            if entry.seq > last + 1 {
                note(.lost, "the log of \(room) goes from \(last) to \(entry.seq)", count: entry.seq - last - 1)
            } else if entry.seq == last {
                note(.doubled, "the log of \(room) has \(entry.seq) twice")
            } else if entry.seq < last {
                note(.reordered, "the log of \(room) has \(entry.seq) after \(last)")
            }
            last = max(last, entry.seq)
        }
    }

    /// Every acknowledged message once and where it was said to be; every other at most once; a writer's messages in
    /// the order in which it sent them.
    private mutating func check(_ posts: [History.Post], against log: [History.LogEntry], of room: String) {
        var stored = storedMessages(in: log, of: room)
        var lastOfWriter: [Int: Int] = [:]
        for post in posts {
            let entries = stored.removeValue(forKey: post.mark) ?? []
            if entries.count > 1 {
                let places = entries.map { "\($0.seq)" }.joined(separator: ", ")
                note(
                    .doubled, "message \(post.mark) is stored in \(room) at \(places)", count: entries.count - 1)
            }
            switch post.outcome {
            case .acknowledged(let acknowledgement):
                check(post, acknowledgement, storedAs: entries.first, in: room, &lastOfWriter[post.writer])
            case .refused(let status):
                if let entry = entries.first {
                    note(.foreign, "message \(post.mark), refused with \(status), is stored at \(room) \(entry.seq)")
                }
            case .unknown:
                break
            }
        }
        for (mark, entries) in stored.sorted(by: { $0.key < $1.key }) {
            note(.foreign, "message \(mark) in \(room) was sent by no client", count: entries.count)
        }
    }

    /// The messages of a log by the mark that their sender gave them.
    private mutating func storedMessages(
        in log: [History.LogEntry], of room: String
    ) -> [String: [History.LogEntry]] {
        var stored: [String: [History.LogEntry]] = [:]
        for entry in log where entry.identity.kind == History.messageKind {
            guard let mark = entry.mark else {
                note(.foreign, "\(room) \(entry.seq) is a message that no client sent")
                continue
            }
            stored[mark, default: []].append(entry)
        }
        return stored
    }

    /// - Parameter last: `seq` of the writer's last acknowledged message. A writer sends the next one when it has the answer.
    private mutating func check(
        _ post: History.Post, _ acknowledgement: History.Acknowledgement, storedAs entry: History.LogEntry?,
        in room: String, _ last: inout Int?
    ) {
        if isLostByPostgres(acknowledgement, in: room) {
            lostByPostgres += 1
            if let entry {
                note(.foreign, "message \(post.mark), lost by PostgreSQL, is in \(room) at \(entry.seq)")
            }
            return
        }
        let acknowledged = "acknowledged as \(room) \(acknowledgement.seq)"
        guard let entry else { return note(.lost, "message \(post.mark), \(acknowledged), is not stored") }
        guard entry.seq == acknowledgement.seq, entry.identity.messageID == acknowledgement.messageID else {
            return note(.reordered, "message \(post.mark), \(acknowledged), is at \(entry.seq)")
        }
        if let last, entry.seq < last {
            note(.reordered, "message \(post.mark) is at \(room) \(entry.seq), sent after \(last) was answered")
        }
        last = entry.seq
    }

    /// Whether the message was acknowledged while the standby lagged, and at a place that the standby does not have.
    private func isLostByPostgres(_ acknowledgement: History.Acknowledgement, in room: String) -> Bool {
        guard let logLoss, !logLoss.keeps(acknowledgement.seq, in: room) else { return false }
        return isLostByPostgres(at: acknowledgement.at)
    }

    /// Whether PostgreSQL may have lost what was acknowledged at this time.
    func isLostByPostgres(at time: UInt64) -> Bool {
        guard let logLoss else { return false }
        // Replication was asynchronous before, too, so a commit may have come just too late.
        let begin = logLoss.lagBegan - min(logLoss.lagBegan, Self.replicationDelay)
        return (begin..<logLoss.at).contains(time)
    }

    private static let replicationDelay: UInt64 = 1_000_000_000

    /// Every acknowledged change once, every other at most once, and no more.
    private mutating func check(_ changes: [History.Change], against log: [History.LogEntry], of room: String) {
        var places: [History.Identity: [Int]] = [:]
        for entry in log where [History.editKind, History.deletionKind].contains(entry.identity.kind) {
            places[entry.identity, default: []].append(entry.seq)
        }
        for change in changes {
            let found = places.removeValue(forKey: change.identity) ?? []
            let name = "\(change.identity.kind) of \(change.identity.messageID ?? 0)"
            if found.isEmpty, change.isAcknowledged { note(.lost, "\(name) in \(room) was acknowledged") }
            if found.count > 1 {
                note(.doubled, "\(name) is stored in \(room) at \(found)", count: found.count - 1)
            }
        }
        for (identity, found) in places {
            note(.foreign, "\(identity.kind) in \(room) at \(found) was requested by no client", count: found.count)
        }
    }

    // MARK: Read marks

    /// The `read` events of one user on one connection only move forward, and never beyond the room's end.
    private mutating func check(_ receipts: [History.Receipt], of session: History.Session, head: Int) {
        struct Place: Hashable {
            var userID: Int
            var connection: Int
        }

        var furthest: [Place: Int] = [:]
        for receipt in receipts {
            let place = Place(userID: receipt.userID, connection: receipt.connection)
            let text =
                "\(session.name) got a read of user \(receipt.userID) in \(session.room) up to \(receipt.lastReadSeq)"
            if let last = furthest[place], receipt.lastReadSeq < last { note(.reordered, "\(text), after \(last)") }
            if receipt.lastReadSeq > head { note(.foreign, "\(text), beyond its end \(head)") }
            furthest[place] = max(furthest[place] ?? 0, receipt.lastReadSeq)
        }
    }
}
