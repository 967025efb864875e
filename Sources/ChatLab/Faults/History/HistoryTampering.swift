/// What a broken system would do to one event or receipt of one session, or to a socket. A check that does not notice is
/// worth nothing.
enum HistoryTampering: String, Sendable, CaseIterable {
    case lose, double, swap, rewind, leak

    /// - Returns: false if nothing in the history lends itself to it.
    func apply(to history: inout History) -> Bool {
        switch self {
        case .lose: inTheMiddle(of: &history) { $0.remove(at: $1) }
        case .double: inTheMiddle(of: &history) { $0.insert($0[$1], at: $1 + 1) }
        case .swap: inTheMiddle(of: &history) { $0.swapAt($1, $1 + 1) }
        case .rewind: rewind(&history)
        case .leak: leak(&history)
        }
    }

    /// Does something to a session in the middle of what it got.
    private func inTheMiddle(of history: inout History, _ change: (inout [History.Sighting], Int) -> Void) -> Bool {
        guard let index = history.sessions.firstIndex(where: { $0.sightings.count >= 3 }) else { return false }
        change(&history.sessions[index].sightings, history.sessions[index].sightings.count / 2)
        return true
    }

    /// Somebody has read less than a moment ago.
    private func rewind(_ history: inout History) -> Bool {
        for (index, session) in history.sessions.enumerated() {
            guard var receipt = session.receipts.last(where: { $0.lastReadSeq > 1 }) else { continue }
            receipt.lastReadSeq -= 1
            history.sessions[index].receipts.append(receipt)
            return true
        }
        return false
    }

    /// A socket gets what comes right after its user's leave.
    private func leak(_ history: inout History) -> Bool {
        for (index, visit) in history.visits.enumerated() {
            let leave = History.Identity(kind: History.leaveKind, userID: visit.userID)
            guard let log = history.logs[visit.room],
                let left = log.first(where: { $0.seq > visit.start && $0.identity == leave }),
                let next = log.first(where: { $0.seq == left.seq + 1 })
            else { continue }
            history.visits[index].sightings.append(
                .init(seq: next.seq, identity: next.identity, at: visit.end?.at ?? 0))
            return true
        }
        return false
    }
}
