import DequeModule
import NIOCore

/// Which reply belongs to which command: Redis replies in the order of the commands. Pure; does no I/O.
///
/// All commands get the same time, so their deadlines are in order too and only the first has to be watched.
struct CommandStateMachine<Command> {
    private struct InFlight {
        let command: Command
        let deadline: NIODeadline
        var missingReplies: Int
    }

    enum ReplyAction {
        /// The reply belongs to this command; `isLast` when it has all of its replies.
        case deliver(Command, isLast: Bool)
        /// A reply that nobody asked for: the connection is out of step and must be closed.
        case close
    }

    enum DeadlineAction {
        /// Nothing is in flight.
        case idle
        /// Look again then.
        case check(NIODeadline)
        /// The first command is late. Replies come in order, so the connection must be closed.
        case expired
    }

    private var inFlight: Deque<InFlight> = []
    private var isDraining = false

    var isEmpty: Bool { inFlight.isEmpty }
    /// True once nothing more is to be waited for: the connection should be closed.
    var isDrained: Bool { isDraining && inFlight.isEmpty }

    /// `replies` is how many the command gets, at least 1.
    mutating func sent(_ command: Command, replies: Int, deadline: NIODeadline) {
        inFlight.append(InFlight(command: command, deadline: deadline, missingReplies: replies))
    }

    mutating func received() -> ReplyAction {
        guard var first = inFlight.popFirst() else { return .close }
        first.missingReplies -= 1
        if first.missingReplies > 0 {
            inFlight.prepend(first)
        }
        return .deliver(first.command, isLast: first.missingReplies == 0)
    }

    func checkDeadline(now: NIODeadline) -> DeadlineAction {
        guard let first = inFlight.first else { return .idle }
        return first.deadline <= now ? .expired : .check(first.deadline)
    }

    /// No more commands will be sent.
    mutating func drain() {
        isDraining = true
    }

    /// The connection is gone: the commands that will get no reply, oldest first.
    mutating func close() -> [Command] {
        defer { inFlight.removeAll() }
        return inFlight.map(\.command)
    }
}
