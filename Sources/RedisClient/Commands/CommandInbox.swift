import NIOConcurrencyHelpers
import NIOCore

/// Commands on their way to the connection: the one thing that callers and the event loop share.
///
/// It bounds what is queued and in flight together, and wakes the event loop once for all that gathers until it comes.
final class CommandInbox: Sendable {
    private enum Link {
        case down
        /// The closure makes the event loop fetch what is queued.
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
    private let state = NIOLockedValueBox(State())

    init(maximumCommands: Int, maximumBytes: Int) {
        self.maximumCommands = maximumCommands
        self.maximumBytes = maximumBytes
    }

    var isUp: Bool {
        state.withLockedValue { if case .up = $0.link { true } else { false } }
    }

    /// Whether there is no connection now but may be one later.
    var isDown: Bool {
        state.withLockedValue { if case .down = $0.link { true } else { false } }
    }

    /// Why there is no connection now.
    var lastFailure: String? {
        state.withLockedValue(\.lastFailure)
    }

    // MARK: For callers

    /// Takes the batch as a whole or refuses it as a whole.
    func submit(_ batch: CommandBatch) throws(RedisError) {
        let admission: Admission = state.withLockedValue { state in
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

    // MARK: For the event loop

    func open(wake: @escaping @Sendable () -> Void) {
        state.withLockedValue { state in
            guard case .down = state.link else { return }
            state.link = .up(wake: wake)
            state.lastFailure = nil
        }
    }

    /// What is queued, oldest first; it counts as in flight until ``release(_:)``.
    func takeQueued() -> [CommandBatch] {
        state.withLockedValue { state in
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
        state.withLockedValue { state in
            state.commands -= commands
            state.bytes -= bytes
        }
    }

    /// The connection is gone, and with it all that was in flight. Returns what had not been sent.
    func goDown(_ reason: String) -> [CommandBatch] {
        state.withLockedValue { state in
            let queued = state.queued
            let isClosed = if case .closed = state.link { true } else { false }
            state = State(link: isClosed ? .closed : .down, lastFailure: reason)
            return queued
        }
    }

    /// An attempt to connect failed.
    func stayDown(_ reason: String) {
        state.withLockedValue { $0.lastFailure = reason }
    }

    /// From now on every command is refused; what is in flight may still finish.
    func refuseMore() {
        state.withLockedValue { $0.link = .closed }
    }
}
