/// Bounds the memory of an event loop's rings of recent events, all rooms together. Beyond it the room whose last event is
/// oldest loses its ring, and its sessions read the log instead. Pure: no I/O.
///
/// The rooms are ordered by their last event, as a doubly linked list in an array, so that noting an event takes constant
/// time.
struct RingBudget<Room: AnyObject> {
    /// A room's place in the list, stored by the room.
    typealias Slot = Int

    private struct Node {
        var room: Room?
        var bytes = 0
        var older: Slot?
        var newer: Slot?
    }

    /// Bound on ``bytes``.
    let maximumBytes: Int
    /// Memory of all rings, in bytes.
    private(set) var bytes = 0
    private var nodes: [Node] = []
    private var free: [Slot] = []
    private var oldest: Slot?
    private var newest: Slot?

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Notes an event of a room.
    /// - Parameters:
    ///   - slot: the room's slot; `nil` for a room that has none yet.
    ///   - count: memory of the room's ring, in bytes.
    /// - Returns: the room's slot.
    mutating func note(_ room: Room, slot: Slot?, bytes count: Int) -> Slot {
        let slot = slot ?? takeSlot(for: room)
        bytes += count - nodes[slot].bytes
        nodes[slot].bytes = count
        if newest != slot {
            unlink(slot)
            nodes[slot].older = newest
            if let newest { nodes[newest].newer = slot } else { oldest = slot }
            newest = slot
        }
        return slot
    }

    /// Removes a room.
    mutating func remove(_ slot: Slot) {
        bytes -= nodes[slot].bytes
        unlink(slot)
        nodes[slot] = Node()
        free.append(slot)
    }

    /// Removes and returns a room whose ring has to be emptied; `nil` while the rings are within the bound.
    mutating func popExcess() -> Room? {
        guard bytes > maximumBytes, let oldest, let room = nodes[oldest].room else { return nil }
        remove(oldest)
        return room
    }

    private mutating func takeSlot(for room: Room) -> Slot {
        if let slot = free.popLast() {
            nodes[slot].room = room
            return slot
        }
        nodes.append(Node(room: room))
        return nodes.count - 1
    }

    private mutating func unlink(_ slot: Slot) {
        let (older, newer) = (nodes[slot].older, nodes[slot].newer)
        if let older { nodes[older].newer = newer }
        if let newer { nodes[newer].older = older }
        if oldest == slot { oldest = newer }
        if newest == slot { newest = older }
        nodes[slot].older = nil
        nodes[slot].newer = nil
    }
}
