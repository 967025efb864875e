/// Checks of posts.
extension LibraryClientCheck {
    mutating func check(posts record: LibraryClientRecord) {
        let own = Set(record.kept.map(\.key) + record.ends.map(\.key))
        var places: [String: [Int]] = [:]
        for (room, log) in logs {
            let posts = log.filter { $0.kind == History.messageKind && own.contains($0.key ?? "") }
            for post in posts { places[post.key ?? "", default: []].append(post.seq) }
            check(order: posts.compactMap(\.key), record, room)
        }
        // What the client was informed of before it was lost.
        let lost = lostPosts(record.ends.filter { places[$0.key] == nil })
        let refused = Set(record.ends.filter { $0.state != "stored" }.map(\.key))
        for key in record.kept.map(\.key) where places[key] == nil && !refused.contains(key) && !lost.contains(key) {
            note(.lostPost, "\(record.name): \(key) was kept and is not stored")
        }
        for (key, seqs) in places where seqs.count > 1 {
            note(.doubledPost, count: seqs.count - 1, "\(record.name): \(key) is stored \(seqs.count) times")
        }
        for end in record.ends {
            if end.state != "stored" {
                if places[end.key] != nil { note(.wrongEnd, "\(record.name): \(end.key) was refused and is stored") }
            } else if let seqs = places[end.key] {
                guard let seq = end.seq, !seqs.contains(seq) else { continue }
                note(.wrongEnd, "\(record.name): \(end.key) was said to be stored as \(seq) and is \(seqs)")
            } else if !lost.contains(end.key) {
                note(.wrongEnd, "\(record.name): \(end.key) was said to be stored and is not")
            }
        }
    }

    /// The posts that were stored where PostgreSQL has lost something, as far as their client was informed: one at each
    /// place.
    private func lostPosts(_ ends: [LibraryClientRecord.End]) -> Set<String> {
        var places: [String: [Int: String]] = [:]
        for end in ends where end.state == "stored" {
            guard let room = end.room, let seq = end.seq, loss?.loses(seq, of: room) == true else { continue }
            if places[room]?[seq] == nil { places[room, default: [:]][seq] = end.key }
        }
        return Set(places.values.flatMap(\.values))
    }

    private mutating func check(order stored: [String], _ record: LibraryClientRecord, _ room: String) {
        let order = Dictionary(
            record.kept.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
        let numbers = stored.compactMap { order[$0] }
        for (one, other) in zip(numbers, numbers.dropFirst()) where one > other {
            note(
                .reorderedPost, "\(record.name): \(record.kept[one].key) before \(record.kept[other].key) in \(room)")
        }
    }
}
