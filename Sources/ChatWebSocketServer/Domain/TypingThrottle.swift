import CommonUtil
import DequeModule
import NIOCore

/// Where somebody types.
struct TypingPlace: Hashable {
    let roomID: RoomID
    let userID: UserID
}

/// Lets at most two statements a second through of what a user types in a room; of those that come too soon the last one
/// follows when its time has come. Ends what is not taken back. Pure, no I/O.
///
/// Every server has it twice: for what its own sessions say, so that it asks no more of Redis, and for what it has heard
/// from all servers, so that a session is told no more, whatever number of sockets and servers says it.
struct TypingThrottle<Statement> {
    /// Between two statements.
    static var interval: TimeAmount { .milliseconds(500) }
    /// How long somebody types who does not say so again.
    static var lifetime: TimeAmount { .seconds(10) }

    /// What is due at some time.
    enum Due {
        case statement(Statement, at: TypingPlace)
        /// Somebody who typed has not said so again.
        case ended(TypingPlace)
    }

    private struct Typist {
        /// Nothing is let through before.
        var next: NIODeadline
        /// When typing ends by itself.
        var end: NIODeadline?
        /// The last statement that came too soon.
        var held: (statement: Statement, isTyping: Bool)?
    }

    private struct Deadline {
        let time: NIODeadline
        let place: TypingPlace
    }

    private var typists: [TypingPlace: Typist] = [:]
    /// In the order of time, since each is as long after its statement as all others. One that no longer holds is
    /// skipped when it comes.
    private var nexts: Deque<Deadline> = []
    private var ends: Deque<Deadline> = []

    /// Who is remembered: those who said something a moment ago, or type.
    var count: Int { typists.count }

    /// Takes a statement.
    /// - Returns: whether it may be passed on now. If not it is kept, in place of one that was kept before.
    mutating func take(_ statement: Statement, isTyping: Bool, at place: TypingPlace, now: NIODeadline) -> Bool {
        if var typist = typists[place], now < typist.next {
            typist.held = (statement, isTyping)
            typists[place] = typist
            return false
        }
        pass(isTyping: isTyping, at: place, now: now)
        return true
    }

    /// When to call ``popDue(now:)``; `nil` while nobody is remembered.
    var nextDeadline: NIODeadline? {
        switch (nexts.first?.time, ends.first?.time) {
        case (let next?, let end?): min(next, end)
        case (let next, let end): next ?? end
        }
    }

    /// Takes out what is due, and forgets those who have nothing to come.
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

    private mutating func pass(isTyping: Bool, at place: TypingPlace, now: NIODeadline) {
        let typist = Typist(next: now + Self.interval, end: isTyping ? now + Self.lifetime : nil)
        typists[place] = typist
        nexts.append(Deadline(time: typist.next, place: place))
        if let end = typist.end { ends.append(Deadline(time: end, place: place)) }
    }
}
