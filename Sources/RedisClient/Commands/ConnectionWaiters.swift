import NIOConcurrencyHelpers
import NIOCore

/// Tasks that wait for a connection; a bounded number of them, each with a deadline.
final class ConnectionWaiters: Sendable {
    private let maximum: Int
    private let eventLoop: any EventLoop
    private let waiting = NIOLockedValueBox<[ObjectIdentifier: Signal]>([:])

    init(maximum: Int, eventLoop: any EventLoop) {
        self.maximum = maximum
        self.eventLoop = eventLoop
    }

    /// Returns when ``resumeAll()`` is called, the time is over or the task is cancelled; at once when `isUnneeded` or
    /// when too many wait already.
    func wait(atMost time: Duration, unless isUnneeded: @Sendable () -> Bool) async {
        let signal = Signal()
        let id = ObjectIdentifier(signal)
        let waits = waiting.withLockedValue { waiting in
            if waiting.count >= maximum { return false }
            waiting[id] = signal
            return true
        }
        // Asked only now, so that a connection made in between is not missed.
        if waits, !isUnneeded() {
            let timer = eventLoop.scheduleTask(in: TimeAmount(time)) { signal.fire() }
            await signal.wait()
            timer.cancel()
        }
        waiting.withLockedValue { _ = $0.removeValue(forKey: id) }
    }

    func resumeAll() {
        let signals = waiting.withLockedValue { waiting in
            defer { waiting = [:] }
            return waiting.values
        }
        for signal in signals {
            signal.fire()
        }
    }
}

/// Something one task waits for, which happens once, maybe before the wait.
private final class Signal: Sendable {
    private enum State {
        case idle
        case waiting(CheckedContinuation<Void, Never>)
        case fired
    }

    private let state = NIOLockedValueBox(State.idle)

    func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let hasFired = state.withLockedValue { state in
                    if case .fired = state { return true }
                    state = .waiting(continuation)
                    return false
                }
                if hasFired {
                    continuation.resume()
                }
            }
        } onCancel: {
            fire()
        }
    }

    func fire() {
        let before = state.withLockedValue { state in
            defer { state = .fired }
            return state
        }
        if case .waiting(let continuation) = before {
            continuation.resume()
        }
    }
}
