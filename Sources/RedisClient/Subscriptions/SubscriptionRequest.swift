import NIOConcurrencyHelpers
import NIOCore

/// Names to add or remove, and the task that waits for the server's confirmation.
final class SubscriptionRequest: Sendable {
    typealias Outcome = Result<Void, RedisError>

    private enum State {
        case idle
        case waiting(CheckedContinuation<Outcome, Never>)
        case over(Outcome)
    }

    let names: [String]
    let kind: SubscriptionStateMachine.Kind
    let isAdding: Bool
    private let state = NIOLockedValueBox(State.idle)

    init(_ names: [String], kind: SubscriptionStateMachine.Kind, isAdding: Bool) {
        self.names = names
        self.kind = kind
        self.isAdding = isAdding
    }

    func outcome() async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: Outcome? = state.withLockedValue { state in
                    if case .over(let outcome) = state { return outcome }
                    state = .waiting(continuation)
                    return nil
                }
                if let outcome {
                    continuation.resume(returning: outcome)
                }
            }
        } onCancel: {
            finish(.failure(.cancelled))
        }
    }

    /// Only the first outcome counts.
    func finish(_ outcome: Outcome) {
        let waiter: CheckedContinuation<Outcome, Never>? = state.withLockedValue { state in
            switch state {
            case .idle:
                state = .over(outcome)
                return nil
            case .waiting(let waiter):
                state = .over(outcome)
                return waiter
            case .over: return nil
            }
        }
        waiter?.resume(returning: outcome)
    }
}
