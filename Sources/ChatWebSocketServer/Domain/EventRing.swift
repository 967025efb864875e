import CommonUtil
import DequeModule
import NIOCore

/// The most recent events of a room, for those who were away for a moment: bounded in number and bytes.
struct EventRing {
    static let maximumCount = 512
    static let maximumBytes = 256 * 1_024

    /// `nil` for one that is no longer told as it was; the log has its present content.
    private var events: Deque<MessageEvent?> = []
    private var bytes = 0

    /// The `seq` of the oldest event kept.
    private var first: Seq?

    /// Appends the next event of the log. What it says of a message takes the place of what earlier ones said: that
    /// must not be told again.
    mutating func append(_ event: MessageEvent, seq: Seq) {
        if let first, seq != first + Seq(events.count) { removeAll() }
        if event.replacesMessage { forget(event.messageID) }
        if events.isEmpty { first = seq }
        events.append(event)
        bytes += event.frame.readableBytes
        while events.count > Self.maximumCount || bytes > Self.maximumBytes, let oldest = events.popFirst() {
            bytes -= oldest?.frame.readableBytes ?? 0
            first = first.map { $0 + 1 }
        }
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
            bytes -= events[index]?.frame.readableBytes ?? 0
            events[index] = nil
        }
    }

    private mutating func removeAll() {
        events.removeAll()
        bytes = 0
        first = nil
    }
}
