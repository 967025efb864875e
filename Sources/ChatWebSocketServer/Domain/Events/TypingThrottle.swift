import CommonUtil
import DequeModule
import NIOCore

/// A user in a room.
struct TypingKey: Hashable {
    let roomID: RoomID
    let userID: UserID
}

/// Passes at most two typing statements per second of a user in a room; of those that come too soon the last one follows when
/// the interval is over. Ends typing that is not taken back. Pure: no I/O.
///
/// A server has two: one for the statements of its own sessions, which bounds what it publishes, and one for the events
/// from all servers, which bounds what its sessions get, whatever number of sockets and servers the user has.
struct TypingThrottle<Statement> {
    /// Interval between two statements.
    static var interval: TimeAmount { .milliseconds(500) }
    /// Time after which typing ends that is not stated again.
    static var lifetime: TimeAmount { .seconds(10) }

    /// Something that is due.
    enum Due {
        case statement(Statement, at: TypingKey)
        /// Typing was not stated again within ``lifetime``.
        case ended(TypingKey)
    }

    private struct Typist {
        /// No statement passes before.
        var next: NIODeadline
        /// When typing ends by itself; `nil` for a user who does not type.
        var end: NIODeadline?
        /// The last statement that came too soon.
        var held: (statement: Statement, isTyping: Bool)?
    }

    private struct Deadline {
        let time: NIODeadline
        let place: TypingKey
    }

    private var typists: [TypingKey: Typist] = [:]
    // In order of time, since the distance to the statement is the same for all. Entries that no longer hold are skipped.
    private var nexts: Deque<Deadline> = []
    private var ends: Deque<Deadline> = []

    /// Number of users that stated something within ``interval``, or type.
    var count: Int { typists.count }

    /// Takes a statement.
    /// - Returns: whether it passes now. If not it is held, in place of one that was held before.
    mutating func take(_ statement: Statement, isTyping: Bool, at place: TypingKey, now: NIODeadline) -> Bool {
        if var typist = typists[place], now < typist.next {
            typist.held = (statement, isTyping)
            typists[place] = typist
            return false
        }
        pass(isTyping: isTyping, at: place, now: now)
        return true
    }

    /// When to call ``popDue(now:)`` next; `nil` while nothing can be due.
    var nextDeadline: NIODeadline? {
        switch (nexts.first?.time, ends.first?.time) {
        case (let next?, let end?): min(next, end)
        case (let next, let end): next ?? end
        }
    }

    /// Removes and returns what is due.
    mutating func popDue(now: NIODeadline) -> [Due] {
        var due: [Due] = []
        while let deadline = nexts.first, deadline.time <= now {
            nexts.removeFirst()
            guard let typist = typists[deadline.place], typist.next == deadline.time else { continue }
            if let held = typist.held {
                pass(isTyping: held.isTyping, at: deadline.place, now: now)
                due.append(.statement(held.statement, at: deadline.place))
            } else if typist.end == nil {
                typists[deadline.place] = nil
            }
        }
        while let deadline = ends.first, deadline.time <= now {
            ends.removeFirst()
            guard typists[deadline.place]?.end == deadline.time else { continue }
            typists[deadline.place] = nil
            due.append(.ended(deadline.place))
        }
        return due
    }

    private mutating func pass(isTyping: Bool, at place: TypingKey, now: NIODeadline) {
        let typist = Typist(next: now + Self.interval, end: isTyping ? now + Self.lifetime : nil)
        typists[place] = typist
        nexts.append(Deadline(time: typist.next, place: place))
        if let end = typist.end { ends.append(Deadline(time: end, place: place)) }
    }
}
