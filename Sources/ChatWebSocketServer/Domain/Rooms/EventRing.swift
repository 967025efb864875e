import ChatEvents
import CommonUtil
import DequeModule
import NIOCore

/// The end of a room's log as one event loop has dispatched it. Pure: no I/O.
struct RoomTail {
    /// The highest `seq` that this loop has dispatched. Another loop may be a turn ahead or behind.
    private(set) var position: Seq
    /// The mark of the event there; `nil` if it is not known.
    private(set) var mark: EventMark?
    /// The last events up to ``position``.
    private(set) var ring = EventRing()

    init(position: Seq, mark: EventMark? = nil) {
        self.position = position
        self.mark = mark
    }

    /// Appends events in the order in which the room's feed sends them.
    /// - Returns: whether none of them had been appended before.
    mutating func append(_ events: [MessageEvent]) -> Bool {
        var areNew = true
        for event in events {
            guard let seq = event.seq else { continue }
            guard seq > position else {
                areNew = false
                continue
            }
            ring.append(event, seq: seq)
            position = seq
            mark = event.mark
        }
        return areNew
    }

    /// Drops the recent events, which sessions then read from the log.
    mutating func emptyRing() { ring.removeAll() }
}

/// The most recent events of a room, for sessions that were away for a moment. Bounded in number and bytes.
struct EventRing {
    static let maximumCount = 512
    static let maximumBytes = 256 * 1_024
    /// Memory of an event beside its frame, in bytes: its slot, its buffer's header and the allocator's own.
    private static let overhead = MemoryLayout<MessageEvent?>.stride + 128

    /// `nil` for an event whose message was edited or deleted since; the log has its present content.
    private var events: Deque<MessageEvent?> = []
    private var bytes = 0
    /// Memory that the events take, in bytes.
    private(set) var memory = 0

    /// The `seq` of the oldest event kept.
    private var first: Seq?

    /// Appends the next event of the log. An edit or deletion removes the earlier events of its message, which must not be
    /// sent again. An event that does not follow the last one empties the ring first.
    mutating func append(_ event: MessageEvent, seq: Seq) {
        if let first, seq != first + Seq(events.count) { removeAll() }
        if event.replacesMessage { forget(event.messageID) }
        if events.isEmpty { first = seq }
        events.append(event)
        count(event, 1)
        while events.count > Self.maximumCount || bytes > Self.maximumBytes, let oldest = events.popFirst() {
            count(oldest, -1)
            first = first.map { $0 + 1 }
        }
    }

    private mutating func count(_ event: MessageEvent?, _ sign: Int) {
        guard let event else { return }
        bytes += sign * event.frame.readableBytes
        memory += sign * (event.frame.storageCapacity + Self.overhead)
    }

    /// The event with this `seq`; `nil` if the ring does not hold it.
    subscript(seq: Seq) -> MessageEvent? {
        guard let first, seq >= first, seq - first < Seq(events.count) else { return nil }
        return events[Int(seq - first)]
    }

    private mutating func forget(_ messageID: MessageID?) {
        // The event does not name its message, so it may be any of them.
        guard let messageID else { return removeAll() }
        for index in events.indices where events[index]?.messageID == messageID {
            count(events[index], -1)
            events[index] = nil
        }
    }

    /// Removes all events and frees their memory.
    mutating func removeAll() { self = EventRing() }
}
