import ChatEvents
import CommonUtil

/// A session's subscription to one room. Confined to the session's event loop.
///
/// Its ``cursor`` is the session's place in the room's log and decides what the session is sent of it.
final class RoomSubscription: RoomKeyed {
    /// Holds this subscription, until it ends.
    let session: ChatSession
    let roomID: RoomID
    // Without the runtime's exclusivity check, which would be 84 instructions of each delivery. A cursor calls nothing back.
    @exclusivity(unchecked) var cursor: SessionCursor
    /// Whether events without a `seq` are sent, too: typing, receipts, and what others publish.
    var isOpen = true
    /// Whether `synced` waits for this subscription to catch up.
    var isAwaited = false
    /// The user's read mark, as it was last sent to the session.
    var readSeq: Seq = 0
    /// The room on this event loop, while the subscription is registered with it.
    fileprivate(set) var room: RoomSessions?
    /// Its place in the room's list.
    fileprivate var index = 0

    init(session: ChatSession, roomID: RoomID, cursor: SessionCursor) {
        self.session = session
        self.roomID = roomID
        self.cursor = cursor
    }
}

/// A room's subscriptions on one event loop. Confined to that loop.
final class RoomSessions {
    /// The room as this event loop has dispatched it.
    // Without the exclusivity check, like ``RoomSubscription/cursor``: every dispatch changes it.
    @exclusivity(unchecked) var tail: RoomTail
    /// The ring's slot in the loop's ``RingBudget``; `nil` while the ring is empty.
    var ringSlot: RingBudget<RoomSessions>.Slot?
    /// In no particular order.
    private(set) var subscriptions: [RoomSubscription] = []

    /// - Parameter position: what this event loop starts after, with its mark.
    init(position: Seq, mark: EventMark? = nil) { tail = RoomTail(position: position, mark: mark) }

    /// Adds a subscription.
    func insert(_ subscription: RoomSubscription) {
        subscription.index = subscriptions.count
        subscriptions.append(subscription)
        subscription.room = self
    }

    /// Removes a subscription in constant time: the last one takes its place.
    func remove(_ subscription: RoomSubscription) {
        guard subscription.room === self else { return }
        subscription.room = nil
        let last = subscriptions.removeLast()
        guard subscription.index < subscriptions.count else { return }
        subscriptions[subscription.index] = last
        last.index = subscription.index
    }
}
