import CommonUtil
import DequeModule
import NIOCore

/// The most recent events of a room, for those who were away for a moment: bounded in number and bytes.
struct EventRing {
    static let maximumCount = 512
    static let maximumBytes = 256 * 1_024
    /// What an event costs beside its frame: its place here, its buffer's header, what the allocator needs for itself.
    private static let overhead = MemoryLayout<MessageEvent?>.stride + 128

    /// `nil` for one that is no longer told as it was; the log has its present content.
    private var events: Deque<MessageEvent?> = []
    private var bytes = 0
    /// Memory that the events take, in bytes.
    private(set) var memory = 0

    /// The `seq` of the oldest event kept.
    private var first: Seq?

    /// Appends the next event of the log. What it says of a message takes the place of what earlier ones said: that
    /// must not be told again.
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

    /// - Returns: `nil` where the event is no longer, or not yet, in the ring.
    subscript(seq: Seq) -> MessageEvent? {
        guard let first, seq >= first, seq - first < Seq(events.count) else { return nil }
        return events[Int(seq - first)]
    }

    private mutating func forget(_ messageID: MessageID?) {
        // Which message it is cannot be told: all of them may be it.
        guard let messageID else { return removeAll() }
        for index in events.indices where events[index]?.messageID == messageID {
            count(events[index], -1)
            events[index] = nil
        }
    }

    /// Forgets all, and gives their memory back.
    mutating func removeAll() { self = EventRing() }
}
