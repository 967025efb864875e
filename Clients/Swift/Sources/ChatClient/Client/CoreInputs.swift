import NIOConcurrencyHelpers

/// Lets one task in at a time, in the order of their coming, also over suspensions.
final class Turn: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = NIOLockedValueBox(State())

    func take() async {
        await withCheckedContinuation { continuation in
            let isMine = state.withLockedValue { state in
                if state.isTaken {
                    state.waiting.append(continuation)
                    return false
                }
                state.isTaken = true
                return true
            }
            if isMine { continuation.resume() }
        }
    }

    func leave() {
        let next = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            if state.waiting.isEmpty {
                state.isTaken = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}

/// What calls want that do not wait, in their order.
final class Commands: Sendable {
    typealias Command = @Sendable (isolated ChatCore) async -> Void

    private let waiting = NIOLockedValueBox<[Command]>([])

    func add(_ command: @escaping Command) { waiting.withLockedValue { $0.append(command) } }

    func take() -> [Command] {
        waiting.withLockedValue { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
