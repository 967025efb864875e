import DequeModule
import NIOCore

/// Matches replies with commands: Redis replies in the order of the commands. Pure: no I/O.
///
/// All commands have the same timeout, so their deadlines are in order, too, and only the first has to be checked.
struct CommandStateMachine<Command> {
    private struct InFlight {
        let command: Command
        let deadline: NIODeadline
        var missingReplies: Int
    }

    /// What to do with a reply.
    enum ReplyAction {
        /// The reply belongs to this command; `isLast` when it has all of its replies.
        case deliver(Command, isLast: Bool)
        /// A reply without a command: the connection is out of step and must be closed.
        case close
    }

    /// What to do about the first deadline.
    enum DeadlineAction {
        /// Nothing is in flight.
        case idle
        /// Check again then.
        case check(NIODeadline)
        /// The first command has timed out. Replies come in order, so the connection must be closed.
        case expired
    }

    private var inFlight: Deque<InFlight> = []
    private var isDraining = false

    var isEmpty: Bool { inFlight.isEmpty }
    /// Whether the last reply has come after ``drain()``: the connection should be closed.
    var isDrained: Bool { isDraining && inFlight.isEmpty }

    /// A command was written.
    /// - Parameter replies: their number, at least 1.
    mutating func sent(_ command: Command, replies: Int, deadline: NIODeadline) {
        inFlight.append(InFlight(command: command, deadline: deadline, missingReplies: replies))
    }

    /// A reply was received.
    mutating func received() -> ReplyAction {
        guard var first = inFlight.popFirst() else { return .close }
        first.missingReplies -= 1
        if first.missingReplies > 0 {
            inFlight.prepend(first)
        }
        return .deliver(first.command, isLast: first.missingReplies == 0)
    }

    /// Checks the deadline of the first command.
    func checkDeadline(now: NIODeadline) -> DeadlineAction {
        guard let first = inFlight.first else { return .idle }
        return first.deadline <= now ? .expired : .check(first.deadline)
    }

    /// No more commands will be sent.
    mutating func drain() {
        isDraining = true
    }

    /// The connection has ended.
    /// - Returns: the commands without a reply, oldest first.
    mutating func close() -> [Command] {
        defer { inFlight.removeAll() }
        return inFlight.map(\.command)
    }
}
