import NIOConcurrencyHelpers

/// Commands of calls that do not wait for their effect, in the order of the calls.
final class CommandQueue: Sendable {
    typealias Command = @Sendable (isolated ChatCore) async -> Void

    private let waiting = NIOLockedValueBox<[Command]>([])

    func add(_ command: @escaping Command) { waiting.withLockedValue { $0.append(command) } }

    /// Removes and returns all commands.
    func take() -> [Command] {
        waiting.withLockedValue { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
