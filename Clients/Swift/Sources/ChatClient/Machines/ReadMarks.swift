/// The read marks that the server does not have yet, and the pace at which they are sent: servers limit frames and
/// calls. Pure: each input returns the marks to send now.
struct ReadMarks: Sendable {
    /// The position up to which a room was read.
    struct Mark: Sendable, Equatable {
        let roomID: String
        let seq: Int64
    }

    private enum Timer { case next }

    /// Maximum number of marks that are sent at a time.
    static let maximumAtOnce = 10
    /// Pause after each time that marks were sent, in milliseconds.
    static let pause: Int64 = 500

    /// Positions by room.
    private(set) var all: [String: Int64] = [:]
    /// Rooms whose marks are to be sent over this connection, in this order.
    private var unsent: [String] = []
    private var isConnected = false
    private var timers: Timers<Timer>

    init(now: Int64 = 0) { timers = Timers(now: now) }

    var nextDeadline: Int64? { timers.next }

    mutating func timePassed(_ now: Int64) -> [Mark] {
        var isDue = false
        while timers.advance(to: now) != nil { isDue = true }
        return isDue ? next() : []
    }

    /// Adds marks of an earlier process.
    mutating func restore(_ marks: [String: Int64]) { all.merge(marks) { max($0, $1) } }

    /// The user has read a room.
    mutating func read(_ roomID: String, through seq: Int64) -> [Mark] {
        guard seq > all[roomID] ?? 0 else { return [] }
        all[roomID] = seq
        if !unsent.contains(roomID) { unsent.append(roomID) }
        return timers.has(.next) ? [] : next()
    }

    /// The server has this mark, or a later one.
    /// - Returns: whether the room has no mark to send any more.
    mutating func reported(_ roomID: String, through seq: Int64) -> Bool {
        guard let wanted = all[roomID], wanted <= seq else { return false }
        all[roomID] = nil
        unsent.removeAll { $0 == roomID }
        return true
    }

    /// The connection is live: what was sent over the former one may be lost.
    mutating func connected() -> [Mark] {
        isConnected = true
        unsent = all.keys.sorted()
        return next()
    }

    mutating func disconnected() {
        isConnected = false
        timers.clearAll()
    }

    private mutating func next() -> [Mark] {
        timers.clearAll()
        guard isConnected, !unsent.isEmpty else { return [] }
        let rooms = unsent.prefix(Self.maximumAtOnce)
        unsent.removeFirst(rooms.count)
        timers.set(.next, after: Self.pause)
        return rooms.compactMap { roomID in all[roomID].map { Mark(roomID: roomID, seq: $0) } }
    }
}
