/// Checks of members: the log against the joins and leaves, and the sockets of users who left.
extension HistoryCheck {
    /// The log has every acknowledged join and leave once and in order, the one without an answer at most once, and no other.
    mutating func check(members changes: [History.Change], against log: [History.LogEntry], of room: String) {
        let asked = Dictionary(grouping: changes) { $0.identity.userID ?? 0 }
        let found = Dictionary(
            grouping: log.filter { [History.joinKind, History.leaveKind].contains($0.identity.kind) }
        ) { $0.identity.userID ?? 0 }
        for userID in Set(asked.keys).union(found.keys).sorted() {
            check(userID, asked: asked[userID] ?? [], found: found[userID] ?? [], in: room)
        }
    }

    private mutating func check(
        _ userID: Int, asked: [History.Change], found: [History.LogEntry], in room: String
    ) {
        guard !asked.isEmpty else {
            let places = found.map(\.seq)
            return note(
                .foreign, "user \(userID) came or went in \(room) at \(places) without asking", count: found.count)
        }
        var isCountRight = true
        for kind in [History.joinKind, History.leaveKind] {
            let wanted = asked.filter { $0.identity.kind == kind }
            let places = found.filter { $0.identity.kind == kind }.map(\.seq)
            let owed = wanted.count(where: \.isAcknowledged)
            if places.count < owed {
                isCountRight = false
                note(
                    .lost, "\(owed) times \(kind) of user \(userID) in \(room) acknowledged, stored at \(places)",
                    count: owed - places.count)
            } else if places.count > wanted.count {
                isCountRight = false
                note(
                    .doubled, "\(wanted.count) times \(kind) of user \(userID) in \(room), stored at \(places)",
                    count: places.count - wanted.count)
            }
        }
        // The next is asked for when the last is acknowledged, so only the last can be open.
        guard isCountRight, !asked.map(\.identity.kind).starts(with: found.map(\.identity.kind)) else { return }
        note(.reordered, "user \(userID) came and went in \(room) in another order at \(found.map(\.seq))")
    }

    /// The socket got the log from its start to its end, nothing after the user's leave, and was closed then.
    mutating func check(_ visit: History.Visit, against log: [History.LogEntry]) {
        let name = "the socket of user \(visit.userID)"
        let last = visit.sightings.map(\.seq).max() ?? visit.start
        let session = History.Session(
            name: name, room: visit.room, start: visit.start, sightings: visit.sightings)
        check(session, against: log.filter { $0.seq <= last })
        let leave = History.Identity(kind: History.leaveKind, userID: visit.userID)
        guard let left = log.first(where: { $0.seq > visit.start && $0.identity == leave })?.seq else {
            if visit.end?.code == History.removedCode {
                note(.foreign, "\(name) in \(visit.room) was closed with \(History.removedCode), and it had not left")
            }
            return
        }
        let after = visit.sightings.count { $0.seq > left }
        if after > 0 {
            note(.leaked, "\(name) got \(after) events of \(visit.room) after it left at \(left)", count: after)
        }
        if visit.end == nil { note(.leaked, "\(name) in \(visit.room) was kept open after it left at \(left)") }
    }
}
