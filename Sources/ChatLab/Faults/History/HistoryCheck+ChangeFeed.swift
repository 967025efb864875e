/// Checks of the feed of changes: its order against the logs, and its readers against its order.
extension HistoryCheck {
    mutating func check(_ feed: History.ChangeFeed, against logs: [String: [History.LogEntry]]) {
        let logs = logs.merging(feed.otherLogs) { first, _ in first }
        let rooms = Dictionary(grouping: feed.events, by: \.room)
        // Rooms of earlier runs on the same stack are in the feed, too, and have no log here.
        for room in Set(rooms.keys).union(logs.keys).sorted() {
            check(room, rooms[room] ?? [], against: logs[room])
        }
        var places: [String: Int] = [:]
        for (place, event) in feed.events.enumerated() {
            if places.updateValue(place, forKey: event.cursor) != nil {
                note(.doubled, "the feed has the cursor of \(event.room) \(event.seq) twice")
            }
        }
        for reader in feed.readers { check(reader, feed, places, contents: Self.contents(of: logs)) }
        for continuation in feed.continuations { check(continuation, feed, places) }
    }

    /// A room in the feed: its creation, and then its log without a gap.
    private mutating func check(
        _ room: String, _ events: [History.FeedEvent], against log: [History.LogEntry]?
    ) {
        if events.first?.identity.kind != History.roomCreationKind {
            // A room without events can be younger than the last reading.
            if !events.isEmpty || log?.isEmpty == false { note(.lost, "the feed has no creation of \(room)") }
        }
        var last = 0
        for event in events.dropFirst(events.first?.seq == 0 ? 1 : 0) {
            if event.seq > last + 1 {
                note(.lost, "the feed goes from \(last) to \(event.seq) of \(room)", count: event.seq - last - 1)
            } else if event.seq <= last {
                note(event.seq == last ? .doubled : .reordered, "the feed has \(event.seq) of \(room) after \(last)")
            }
            last = max(last, event.seq)
        }
        guard let log else { return }
        if let head = log.last?.seq, last < head {
            note(.lost, "the feed has \(room) up to \(last) of \(head)", count: head - last)
        }
        let entries = Dictionary(log.map { ($0.seq, $0) }, uniquingKeysWith: { first, _ in first })
        for event in events where event.seq > 0 {
            let entry = entries[event.seq]
            guard entry?.identity != event.identity || entry?.eventMark != event.eventMark else { continue }
            note(
                .foreign,
                "the feed has as \(room) \(event.seq) a \(event.identity.kind) that the log does not have there")
        }
    }

    /// A reader's table: every event of the feed once, in the order of the feed, and in the end with the present content.
    private mutating func check(
        _ reader: History.FeedReader, _ feed: History.ChangeFeed, _ places: [String: Int], contents: [Int: String?]
    ) {
        var seen = Set<Int>()
        var furthest = -1
        var known: [Int: String?] = [:]
        for event in kept(by: reader) {
            guard let place = places[event.cursor] else {
                note(.foreign, "\(reader.name) got \(event.room) \(event.seq) at a cursor that the feed does not have")
                continue
            }
            let same = feed.events[place]
            if (same.room, same.seq, same.identity) != (event.room, event.seq, event.identity) {
                note(
                    .foreign,
                    "\(reader.name) got \(event.room) \(event.seq) where the feed has \(same.room) \(same.seq)")
            }
            if !seen.insert(place).inserted {
                note(.doubled, "\(reader.name) got \(event.room) \(event.seq) in two deliveries")
            } else if place < furthest {
                note(.reordered, "\(reader.name) got \(event.room) \(event.seq) after a later event of the feed")
            }
            furthest = max(furthest, place)
            if let messageID = event.identity.messageID { known[messageID] = event.contentJson }
        }
        let missing = feed.events.indices.filter { !seen.contains($0) }
        if let first = missing.first {
            let event = feed.events[first]
            note(
                .lost,
                "\(reader.name) never got \(missing.count) events of the feed, the first is \(event.room) \(event.seq)",
                count: missing.count)
        }
        let wrong = known.keys.filter { id in contents[id].map { $0 != known[id] } ?? false }
        if let example = wrong.min() {
            note(.foreign, "\(reader.name) has another content of message \(example) than its log", count: wrong.count)
        }
    }

    /// What a reader kept, without repeated deliveries. Those are repeated as a whole.
    private mutating func kept(by reader: History.FeedReader) -> [History.FeedEvent] {
        var first: [String: History.FeedDelivery] = [:]
        var keptIDs = Set<String>()
        var events: [History.FeedEvent] = []
        for delivery in reader.deliveries {
            if let id = delivery.deliveryID {
                if let before = first[id], before.events.map(\.cursor) != delivery.events.map(\.cursor) {
                    note(.doubled, "\(reader.name) got the delivery \(id) again with other events")
                }
                if first[id] == nil { first[id] = delivery }
                guard delivery.isKept, keptIDs.insert(id).inserted else { continue }
            }
            events += delivery.events
        }
        return events
    }

    /// What each message holds in the end.
    private static func contents(of logs: [String: [History.LogEntry]]) -> [Int: String?] {
        logs.values.joined().reduce(into: [:]) { contents, entry in
            if let messageID = entry.identity.messageID { contents[messageID] = entry.contentJson }
        }
    }

    /// A cursor leads to what came after it when it was first read.
    private mutating func check(
        _ continuation: History.FeedContinuation, _ feed: History.ChangeFeed, _ places: [String: Int]
    ) {
        guard let place = places[continuation.cursor] else {
            return note(.foreign, "a cursor that was read is not in the feed any more")
        }
        let due = feed.events[(place + 1)...].prefix(continuation.next.count).map(\.cursor)
        if due != continuation.next {
            note(
                .reordered, "after the cursor of \(feed.events[place].room) \(feed.events[place].seq) come other events"
            )
        }
    }
}
