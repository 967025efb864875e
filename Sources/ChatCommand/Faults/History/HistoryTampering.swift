/// What a broken system would do to one event of one session. A check that does not notice is worth nothing.
enum HistoryTampering: String, Sendable, CaseIterable {
    case lose, double, swap

    /// Does it to a session in the middle of what it got.
    /// - Returns: false if no session got enough for it.
    func apply(to history: inout History) -> Bool {
        guard let index = history.sessions.firstIndex(where: { $0.sightings.count >= 3 }) else { return false }
        let middle = history.sessions[index].sightings.count / 2
        switch self {
        case .lose: history.sessions[index].sightings.remove(at: middle)
        case .double:
            let again = history.sessions[index].sightings[middle]
            history.sessions[index].sightings.insert(again, at: middle + 1)
        case .swap: history.sessions[index].sightings.swapAt(middle, middle + 1)
        }
        return true
    }
}
