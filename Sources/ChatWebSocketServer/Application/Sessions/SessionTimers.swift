import ChatEvents
import CommonUtil
import NIOCore

/// Checks each session when something is due for it, a heartbeat or the expiry of its token. Confined to the event loop.
final class SessionTimers {
    /// More than the longest interval between two checks, in seconds. What is due later is found by an earlier check.
    private static let longest = 31

    /// In seconds.
    private let wheel: TimerWheel<ChatSession>
    /// Total of sessions that began here.
    private var begun = 0

    init(eventLoop: any EventLoop) {
        wheel = TimerWheel(eventLoop: eventLoop, tick: .seconds(1), longest: Self.longest)
        wheel.onDue = { [weak self] in self?.check($0) }
    }

    private var now: Int { wheel.now }

    /// Starts to check a session.
    func begin(_ session: ChatSession) {
        // Spread over the end of the interval, so that sessions that began together are not all checked together.
        session.heartbeatDue = (now, now + Self.ticks(session.heartbeat.interval) - begun % 11)
        begun += 1
        schedule(session)
    }

    /// Schedules a session again after its token was replaced.
    func tokenChanged(_ session: ChatSession) {
        if wheel.contains(session) { schedule(session) }
    }

    /// Stops to check a session.
    func end(_ session: ChatSession) { wheel.cancel(session) }

    private func schedule(_ session: ChatSession) {
        let heartbeat = session.heartbeatDue.tick - now
        let token = session.token.map { Self.ticks($0.wait(now: .now)) } ?? heartbeat
        wheel.schedule(session, in: min(heartbeat, token))
    }

    // Schedules first: sending may end the session.
    private func check(_ session: ChatSession) {
        // What only waits for the end of the turn is nothing that the peer did not take.
        if session.user?.isUnflushed == true { session.transport.flush() }
        guard !session.hasEnded else { return }
        var heartbeat = Heartbeat.Action.none
        if session.heartbeatDue.tick <= now { heartbeat = beat(session) }
        let token = session.token?.due(now: .now) ?? .none
        schedule(session)
        let transport = session.transport
        switch heartbeat {
        case .none: break
        case .ping: transport.ping()
        case .drop: transport.abort()
        case .closeStalled: transport.close(CloseReason(.tryAgainLater, "nothing was read for a minute"))
        }
        switch token {
        case .none: break
        case .warn(let expiresAt): transport.send(.tokenExpiring(expiresAt: expiresAt))
        case .close: transport.close(CloseReason(.tokenExpired, "the access token has expired"))
        }
    }

    private func beat(_ session: ChatSession) -> Heartbeat.Action {
        let transport = session.transport
        let (action, next) = session.heartbeat.due(
            elapsed: .seconds(now - session.heartbeatDue.since), bytesQueued: transport.queuedBytes,
            bytesWritten: transport.bytesWritten)
        session.heartbeatDue = (now, now + max(1, Self.ticks(next)))
        return action
    }

    private static func ticks(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(seconds) + (attoseconds > 0 ? 1 : 0)
    }
}
