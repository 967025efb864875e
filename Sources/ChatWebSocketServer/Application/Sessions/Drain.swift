import CommonUtil
import NIOCore
import Synchronization

/// Closes the sockets of a stopping server. Each session gets `reconnect` with a jittered delay, and the sockets are closed
/// over some time, so that the other servers do not get all of them at once.
struct DrainService: Sendable {
    /// Time for the peers' answers to the last close frames.
    private static let closeTimeout = Duration.seconds(5)

    let sessions: ChatRoomSessionManager
    let openSockets: OpenSockets
    /// The time in which all sockets have to be closed.
    let longest: Duration

    /// Returns when no socket is open any more, or when the time is over.
    func run() async {
        sessions.drain(longest: longest)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await openSockets.waitUntilNone() }
            group.addTask { try? await Task.sleep(for: longest + Self.closeTimeout) }
            await group.next()
            group.cancelAll()
            openSockets.stopWaiting()
        }
    }
}

/// Counts the open sockets, whether their sessions are active or their closes are under way.
final class OpenSockets: Sendable {
    private struct State {
        var count = 0
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Counts a socket that was opened.
    func opened() { state.withLock { $0.count += 1 } }

    /// Counts a socket that was closed.
    func closed() {
        let waiter = state.withLock { state in
            state.count -= 1
            return state.count == 0 ? state.waiter.take() : nil
        }
        waiter?.resume()
    }

    /// Waits until no socket is open. To be called by one task.
    func waitUntilNone() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.count > 0 { state.waiter = continuation }
                return state.count == 0
            }
            if isDone { continuation.resume() }
        }
    }

    /// Ends ``waitUntilNone()``, whatever is open.
    func stopWaiting() { state.withLock { $0.waiter.take() }?.resume() }
}
