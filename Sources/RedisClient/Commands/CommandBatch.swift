import NIOConcurrencyHelpers
import NIOCore

/// Encoded commands that are written together, and who is told their replies.
final class CommandBatch: Sendable {
    typealias Reply = Result<RESPValue, RedisError>

    private struct State {
        var replies: [Reply] = []
        var isOver: (@Sendable ([Reply]) -> Void)?
    }

    let bytes: ByteBuffer
    /// How many commands, and so replies, there are.
    let count: Int
    let deadline: NIODeadline
    private let state: NIOLockedValueBox<State>

    init(_ bytes: ByteBuffer, count: Int, deadline: NIODeadline) {
        self.bytes = bytes
        self.count = count
        self.deadline = deadline
        var state = State()
        state.replies.reserveCapacity(count)
        self.state = NIOLockedValueBox(state)
    }

    /// All replies in order. Cancellation ends the wait at once, with ``RedisError/cancelled`` for the missing ones.
    func replies() async -> [Reply] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                whenOver { continuation.resume(returning: $0) }
            }
        } onCancel: {
            fail(.cancelled)
        }
    }

    /// Calls `body` once, when all replies are there or are known to stay away; to be asked for once.
    func whenOver(_ body: @escaping @Sendable ([Reply]) -> Void) {
        let replies: [Reply]? = state.withLockedValue { state in
            if state.replies.count == count { return state.replies }
            state.isOver = body
            return nil
        }
        if let replies { body(replies) }
    }

    /// The next reply. One that comes after the wait was given up is dropped.
    func deliver(_ reply: Reply) {
        complete { replies in replies.append(reply) }
    }

    /// Ends the wait: all missing replies are this error.
    func fail(_ error: RedisError) {
        complete { replies in
            replies.append(contentsOf: repeatElement(.failure(error), count: self.count - replies.count))
        }
    }

    /// True when nobody waits any more.
    var isOver: Bool {
        state.withLockedValue { $0.replies.count == count }
    }

    private func complete(_ change: (inout [Reply]) -> Void) {
        let over: (tell: @Sendable ([Reply]) -> Void, replies: [Reply])? = state.withLockedValue { state in
            guard state.replies.count < count else { return nil }
            change(&state.replies)
            guard state.replies.count == count, let tell = state.isOver.take() else { return nil }
            return (tell, state.replies)
        }
        if let over { over.tell(over.replies) }
    }
}
