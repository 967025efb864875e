/// Checks what a client library did against the logs: the promises of `docs/clients.md`. Pure, no I/O.
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

    /// What can be wrong.
    enum Flaw: String, CaseIterable, Sendable {
        case store = "rooms whose store differs from the log"
        case heardTwice = "events heard twice or out of order"
        case heardWithGap = "events missing between two that one process heard"
        case applied = "events not dealt with exactly once"
        case namedMissing = "events that a named reader missed"
        case namedAgain = "events that a named reader got again without a kill"
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

    /// - Parameter logs: each room's whole log.
    init(_ record: LibraryClientRecord, logs: [String: [Entry]]) {
        for (room, log) in logs.sorted(by: { $0.key < $1.key }) {
            check(store: record.store.rooms[room] ?? [], log, record.name, room)
            check(heard: record.heard.map { $0.filter { $0.room == room } }, log, record.name, room)
            check(applied: record.applied.filter { $0.room == room }, log, record.name, room)
            check(named: record.named.filter { $0.room == room }, log, record.name, room, kills: record.kills)
        }
        check(posts: record, logs)
    }

    var problems: [String] {
        Flaw.allCases.compactMap { flaw in counts[flaw].map { "\($0) \(flaw.rawValue)" } }
    }

    private mutating func note(_ flaw: Flaw, count: Int = 1, _ example: @autoclosure () -> String) {
        guard count > 0 else { return }
        counts[flaw, default: 0] += count
        if examples.count < 10 { examples.append(example()) }
    }

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

    private mutating func check(
        heard lives: [[LibraryClientRecord.Sighting]], _ log: [Entry], _ name: String, _ room: String
    ) {
        let marks = Dictionary(log.map { ($0.seq, $0.eventMark) }, uniquingKeysWith: { first, _ in first })
        var last: Int?
        for life in lives {
            for (index, sighting) in life.enumerated() {
                defer { last = max(last ?? 0, sighting.seq) }
                if marks[sighting.seq] != sighting.eventMark {
                    note(.heardTwice, "\(name) heard \(sighting.seq) of another log in \(room)")
                }
                guard let last else { continue }
                if sighting.seq <= last {
                    note(.heardTwice, "\(name) heard \(sighting.seq) of \(room) after \(last)")
                } else if sighting.seq > last + (index == 0 ? 1 + Self.largestSkipAtKill : 1) {
                    note(
                        .heardWithGap, count: sighting.seq - last - 1,
                        "\(name) heard \(sighting.seq) of \(room) after \(last)"
                    )
                }
            }
        }
    }

    private mutating func check(
        applied: [LibraryClientRecord.Sighting], _ log: [Entry], _ name: String, _ room: String
    ) {
        let due = log.map { LibraryClientRecord.Sighting(room: room, seq: $0.seq, eventMark: $0.eventMark) }
        guard applied != due else { return }
        let differing = zip(applied, due).first { $0 != $1 }
        note(
            .applied, count: max(1, abs(applied.count - due.count)),
            "\(name) dealt with \(applied.count) of \(due.count) events of \(room), the first wrong one is "
                + "\(differing?.0.seq ?? min(applied.count, due.count) + 1)")
    }

    /// Each event at least once, in order; one that comes again is the last one before it, at most one a kill.
    private mutating func check(
        named: [LibraryClientRecord.Sighting], _ log: [Entry], _ name: String, _ room: String, kills: Int
    ) {
        var next = log.startIndex
        var repeats = 0
        for sighting in named {
            if next < log.endIndex, log[next].seq == sighting.seq {
                next += 1
            } else if next > log.startIndex, log[next - 1].seq == sighting.seq {
                repeats += 1
            } else {
                note(.namedMissing, "\(name), reader of \(room): \(sighting.seq) where \(next + 1) was due")
                next = (log.firstIndex { $0.seq == sighting.seq } ?? next - 1) + 1
            }
        }
        note(.namedMissing, count: log.endIndex - next, "\(name), reader of \(room): nothing after \(next)")
        note(.namedAgain, count: repeats - kills, "\(name), reader of \(room): \(repeats) repeated, \(kills) kills")
    }

    private mutating func check(posts record: LibraryClientRecord, _ logs: [String: [Entry]]) {
        let own = Set(record.kept + record.ends.map(\.key))
        let refused = Set(record.ends.filter { $0.state != "stored" }.map(\.key))
        var places: [String: [Int]] = [:]
        for (room, log) in logs {
            let keys = log.filter { $0.kind == History.messageKind }.compactMap(\.key).filter(own.contains)
            for (place, key) in keys.enumerated() { places[key, default: []].append(place) }
            let order = Dictionary(record.kept.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
            let stored = keys.compactMap { order[$0] }
            for (one, other) in zip(stored, stored.dropFirst()) where one > other {
                note(.reorderedPost, "\(record.name): \(record.kept[one]) before \(record.kept[other]) in \(room)")
            }
        }
        for key in record.kept where places[key] == nil && !refused.contains(key) {
            note(.lostPost, "\(record.name): \(key) was kept and is not stored")
        }
        for (key, times) in places where times.count > 1 {
            note(.doubledPost, count: times.count - 1, "\(record.name): \(key) is stored \(times.count) times")
        }
        for key in refused where places[key] != nil {
            note(.wrongEnd, "\(record.name): \(key) was said to be refused and is stored")
        }
        for end in record.ends where end.state == "stored" && places[end.key] == nil {
            note(.wrongEnd, "\(record.name): \(end.key) was said to be stored and is not")
        }
        note(
            .lostPost, count: record.store.outbox.count, "\(record.name): \(record.store.outbox.count) posts never left"
        )
    }
}
