import CommonUtil

/// A room's sessions on one event loop, and what this loop has sent of the room last.
final class RoomSessions {
    /// The highest `seq` that this loop has dispatched. Another loop may be ahead or behind by a turn.
    var position: Seq
    var ring = EventRing()
    /// Where the ring is counted; `nil` while it is empty.
    var ringSlot: RingBudget<RoomSessions>.Slot?
    private(set) var sessions: [ChatSession] = []
    private var indexes: [ObjectIdentifier: Int] = [:]

    init(position: Seq) { self.position = position }

    func insert(_ session: ChatSession) {
        indexes[ObjectIdentifier(session)] = sessions.count
        sessions.append(session)
    }

    /// Constant time: the last session takes the gone one's place.
    func remove(_ session: ChatSession) {
        guard let index = indexes.removeValue(forKey: ObjectIdentifier(session)) else { return }
        let last = sessions.removeLast()
        guard index < sessions.count else { return }
        sessions[index] = last
        indexes[ObjectIdentifier(last)] = index
    }
}
