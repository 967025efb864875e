import NIOCore
import Synchronization

/// The queue of commands between callers and the event loop.
///
/// It bounds the commands that are queued and in flight together, and wakes the event loop once for all that gather
/// until it runs.
final class CommandInbox: Sendable {
    private enum Link {
        case down
        /// The closure makes the event loop take the queue.
        case up(wake: @Sendable () -> Void)
        case closed
    }

    private struct State {
        var link = Link.down
        var lastFailure: String?
        var queued: [CommandBatch] = []
        /// Queued and in flight.
        var commands = 0
        var bytes = 0
        var isWoken = false
    }

    private enum Admission {
        case admitted
        case wake(@Sendable () -> Void)
        case refused(RedisError)
    }

    private let maximumCommands: Int
    private let maximumBytes: Int
    private let state = Mutex(State())

    init(maximumCommands: Int, maximumBytes: Int) {
        self.maximumCommands = maximumCommands
        self.maximumBytes = maximumBytes
    }

    /// Whether there is a connection.
    var isUp: Bool {
        state.withLock { if case .up = $0.link { true } else { false } }
    }

    /// The reason why there is no connection; `nil` while there is one or none was tried.
    var lastFailure: String? {
        state.withLock(\.lastFailure)
    }

    // MARK: Called from any thread

    /// Queues a batch, or refuses it as a whole.
    /// - Throws: `notConnected`, `closed` or `overloaded`.
    func submit(_ batch: CommandBatch) throws(RedisError) {
        let admission: Admission = state.withLock { state in
            switch state.link {
            case .down: return .refused(.notConnected)
            case .closed: return .refused(.closed)
            case .up(let wake):
                let commands = state.commands + batch.count
                let bytes = state.bytes + batch.bytes.readableBytes
                guard commands <= maximumCommands, bytes <= maximumBytes else { return .refused(.overloaded) }
                state.commands = commands
                state.bytes = bytes
                state.queued.append(batch)
                if state.isWoken { return .admitted }
                state.isWoken = true
                return .wake(wake)
            }
        }
        switch admission {
        case .admitted: return
        case .wake(let wake): wake()
        case .refused(let error): throw error
        }
    }

    // MARK: Called on the event loop

    /// A connection is established.
    /// - Parameter wake: makes the event loop take the queue.
    func open(wake: @escaping @Sendable () -> Void) {
        state.withLock { state in
            guard case .down = state.link else { return }
            state.link = .up(wake: wake)
            state.lastFailure = nil
        }
    }

    /// Takes the queue, oldest first; the batches count as in flight until ``release(_:)``.
    func takeQueued() -> [CommandBatch] {
        state.withLock { state in
            defer { state.queued = [] }
            state.isWoken = false
            return state.queued
        }
    }

    /// These batches are no longer in flight.
    func release(_ batches: [CommandBatch]) {
        if batches.isEmpty { return }
        let bytes = batches.reduce(0) { $0 + $1.bytes.readableBytes }
        let commands = batches.reduce(0) { $0 + $1.count }
        state.withLock { state in
            state.commands -= commands
            state.bytes -= bytes
        }
    }

    /// The connection has ended, and with it all commands in flight.
    /// - Returns: the batches that had not been sent.
    func goDown(_ reason: String) -> [CommandBatch] {
        state.withLock { state in
            let queued = state.queued
            let isClosed = if case .closed = state.link { true } else { false }
            state = State(link: isClosed ? .closed : .down, lastFailure: reason)
            return queued
        }
    }

    /// An attempt to connect failed.
    func stayDown(_ reason: String) {
        state.withLock { $0.lastFailure = reason }
    }

    /// Refuses commands from now on; those in flight may still finish.
    func close() {
        state.withLock { $0.link = .closed }
    }
}

/// Encoded commands that are written together, and the closure that gets their replies.
final class CommandBatch: Sendable {
    typealias Reply = Result<RESPValue, RedisError>

    private struct State {
        var replies: [Reply] = []
        var onCompletion: (@Sendable ([Reply]) -> Void)?
    }

    let bytes: ByteBuffer
    /// The number of commands, and of replies.
    let count: Int
    let deadline: NIODeadline
    private let state: Mutex<State>

    init(_ bytes: ByteBuffer, count: Int, deadline: NIODeadline) {
        self.bytes = bytes
        self.count = count
        self.deadline = deadline
        var state = State()
        state.replies.reserveCapacity(count)
        self.state = Mutex(state)
    }

    /// Waits for all replies, in order. Cancellation ends the wait, with ``RedisError/cancelled`` for the missing ones.
    func replies() async -> [Reply] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                whenComplete { continuation.resume(returning: $0) }
            }
        } onCancel: {
            fail(.cancelled)
        }
    }

    /// Calls `body` once, when all replies have come or failed. To be called once.
    func whenComplete(_ body: @escaping @Sendable ([Reply]) -> Void) {
        let replies: [Reply]? = state.withLock { state in
            if state.replies.count == count { return state.replies }
            state.onCompletion = body
            return nil
        }
        if let replies { body(replies) }
    }

    /// Takes the next reply. One that comes after ``fail(_:)`` is dropped.
    func deliver(_ reply: Reply) {
        complete { replies in replies.append(reply) }
    }

    /// Completes the batch: all missing replies are this error.
    func fail(_ error: RedisError) {
        complete { replies in
            replies.append(contentsOf: repeatElement(.failure(error), count: self.count - replies.count))
        }
    }

    /// Whether all replies have come or failed.
    var isComplete: Bool {
        state.withLock { $0.replies.count == count }
    }

    private func complete(_ change: (inout [Reply]) -> Void) {
        let completion: (call: @Sendable ([Reply]) -> Void, replies: [Reply])? = state.withLock { state in
            guard state.replies.count < count else { return nil }
            change(&state.replies)
            guard state.replies.count == count, let call = state.onCompletion.take() else { return nil }
            return (call, state.replies)
        }
        if let completion { completion.call(completion.replies) }
    }
}
