/// One room's log: its position, its messages, and the changes to store. Pure: each input returns the actions to carry
/// out, in order. Actions that store come before those that deliver.
struct RoomLog: Sendable {
    enum Action: Sendable, Equatable {
        case keep(ChatEvent)
        /// The log is stored from here on, and nothing before it.
        case begin(LogPosition)
        /// Nothing of the room is stored any more.
        case forget
        case state(RoomState)
        case event(ChatEvent)
        case signal(JSONObject)
        case gap(after: Int64, seq: Int64)
        case reset(LogPosition, lost: [Message])
        case skipped(after: Int64, through: Int64)
        case gone
    }

    private(set) var state = RoomState.idle
    /// The position of the last event that is known; `nil` if the log has not begun.
    private(set) var position: LogPosition?
    /// The messages; `nil` until the room is opened.
    var timeline: Timeline?
    private let userID: Int64?
    private let keep: Int
    private var isSyncing = false
    private var isConnected = false
    private var isReset = false
    private var isGone = false

    init(userID: Int64?, keep: Int = 1000, position: LogPosition? = nil, events: [ChatEvent]? = nil) {
        self.userID = userID
        self.keep = keep
        self.position = position
        if let events, let position { load(from: position.seq - Int64(events.count), events) }
    }

    /// Loads the stored events of the room, which are those after `seq` up to the position.
    mutating func load(from seq: Int64, _ events: [ChatEvent]) {
        timeline = Timeline(userID: userID, keep: keep, from: seq, through: position?.seq ?? seq, events: events)
    }

    /// The room is opened. A log that is not stored begins at its head.
    mutating func open(head: LogPosition?) -> [Action] {
        if let position {
            if timeline == nil { load(from: position.seq, []) }
            return []
        }
        return head.map { begin($0) } ?? []
    }

    /// - Parameter isNamed: whether the room's position was sent to the server, which then sends the missing events.
    mutating func syncing(isNamed: Bool = true) -> [Action] {
        isConnected = true
        isSyncing = isNamed && position != nil
        return settle()
    }

    /// The server has sent everything that was missing.
    mutating func synced() -> [Action] {
        isSyncing = false
        return settle()
    }

    mutating func disconnected() -> [Action] {
        (isConnected, isSyncing) = (false, false)
        return settle()
    }

    /// An event of the log.
    mutating func event(_ event: ChatEvent) -> [Action] {
        let seq = event.seq
        guard !isGone, let position, seq > position.seq else { return [] }
        guard seq == position.seq + 1 else { return [.gap(after: position.seq, seq: seq)] }
        self.position = event.position
        isReset = false
        timeline?.apply(event)
        return [.keep(event)] + settle() + [.event(event)]
    }

    /// An event without a `seq`.
    func signal(_ frame: JSONObject) -> [Action] { isGone ? [] : [.signal(frame)] }

    /// The server has another log, which continues after `head`.
    mutating func reset(_ head: LogPosition) -> [Action] {
        guard position != nil, !isGone else { return [] }
        let messages = timeline?.messages.compactMap(\.message) ?? []
        let lost = messages.filter { $0.senderID == userID && $0.seq > head.seq }
        isReset = true
        isSyncing = false
        return begin(head) + [.reset(head, lost: lost)]
    }

    /// Too many events were missing: those in between are left out.
    mutating func skipped(_ head: LogPosition) -> [Action] {
        guard let position, !isGone, head.seq > position.seq else { return [] }
        isSyncing = false
        return begin(head) + [.skipped(after: position.seq, through: head.seq)]
    }

    mutating func removed() -> [Action] {
        guard !isGone else { return [] }
        isGone = true
        isReset = false
        position = nil
        timeline?.begin(0)
        return [.forget] + settle() + [.gone]
    }

    /// The user has become a member, or is one again: the log begins at the head.
    mutating func added(_ head: LogPosition) -> [Action] {
        guard position == nil else { return [] }
        isGone = false
        return begin(head)
    }

    /// The log is known from here on.
    private mutating func begin(_ head: LogPosition) -> [Action] {
        position = head
        if timeline == nil { load(from: head.seq, []) } else { timeline?.begin(head.seq) }
        return [.begin(head)] + settle()
    }

    private mutating func settle() -> [Action] {
        let next: RoomState =
            if isGone { .gone } else if isReset { .reset } else if !isConnected || position == nil { .idle } else {
                isSyncing ? .syncing : .live
            }
        guard next != state else { return [] }
        state = next
        return [.state(next)]
    }
}
