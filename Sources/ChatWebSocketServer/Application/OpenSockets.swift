import NIOConcurrencyHelpers

/// Counts the sockets that are open, whether their session still lives or its close is on its way.
final class OpenSockets: Sendable {
    private struct State {
        var count = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = NIOLockedValueBox(State())

    func opened() { state.withLockedValue { $0.count += 1 } }

    func closed() {
        let waiter = state.withLockedValue { state in
            state.count -= 1
            return state.count == 0 ? state.waiter.take() : nil
        }
        waiter?.resume()
    }

    /// To be called by one task.
    func waitUntilNone() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLockedValue { state in
                if state.count > 0 { state.waiter = continuation }
                return state.count == 0
            }
            if isDone { continuation.resume() }
        }
    }

    /// Ends ``waitUntilNone()`` whatever is open.
    func stopWaiting() { state.withLockedValue { $0.waiter.take() }?.resume() }
}
