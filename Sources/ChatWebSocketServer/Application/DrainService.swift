import ChatEvents
import CommonUtil
import NIOCore

/// Lets the sockets of a stopping server go: each is told to come back a little later, and they are closed in a stream,
/// so that the other servers are not all asked at once.
struct DrainService: Sendable {
    /// Sockets that one event loop closes in a second, as long as that fits into ``longest``.
    static let closesPerSecond = 200
    /// For the answers to the last close frames.
    private static let grace = Duration.seconds(5)

    let sessions: ChatRoomSessionManager
    let openSockets: OpenSockets
    let longest: Duration

    /// Returns when no socket is open any more, or when there was no more time for those that are.
    func run() async {
        sessions.drain(longest: longest)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await openSockets.waitUntilNone() }
            group.addTask { try? await Task.sleep(for: longest + Self.grace) }
            await group.next()
            group.cancelAll()
            openSockets.stopWaiting()
        }
    }
}
