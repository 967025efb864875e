import ChatEvents
import CommonUtil
import NIOCore

/// Looks at each session when something is due for it, a heartbeat or the end of its token: one timer for an event
/// loop, not one for each session. A turn costs what is due, not what there is. Confined to the event loop.
final class SessionWheel {
    private static let tick = TimeAmount.seconds(1)
    /// More than the longest interval between two looks, in ticks. What is due later is found by a look before.
    private static let slotCount = 32

    private let eventLoop: any EventLoop
    private var slots: [[ObjectIdentifier: ChatSession]] = Array(repeating: [:], count: slotCount)
    private var slotOfSession: [ObjectIdentifier: Int] = [:]
    /// Ticks since the beginning.
    private var now = 0
    private var timer: RepeatedTask?

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func begin(_ session: ChatSession) {
        // Spread over the interval, so that sessions that came together are not all looked at together.
        session.heartbeatDue = (now, now + Int.random(in: 15...25))
        schedule(session)
        startTimer()
    }

    /// To be called when the session's token was replaced.
    func tokenChanged(_ session: ChatSession) {
        guard let slot = slotOfSession[ObjectIdentifier(session)] else { return }
        slots[slot][ObjectIdentifier(session)] = nil
        schedule(session)
    }

    func end(_ session: ChatSession) {
        let key = ObjectIdentifier(session)
        if let slot = slotOfSession.removeValue(forKey: key) { slots[slot][key] = nil }
        if slotOfSession.isEmpty {
            timer?.cancel()
            timer = nil
        }
    }

    private func schedule(_ session: ChatSession) {
        let heartbeat = session.heartbeatDue.tick - now
        let token = session.token.map { Self.ticks($0.wait(now: .now)) } ?? heartbeat
        let slot = (now + max(1, min(heartbeat, token, Self.slotCount - 1))) % Self.slotCount
        let key = ObjectIdentifier(session)
        slots[slot][key] = session
        slotOfSession[key] = slot
    }

    private func startTimer() {
        guard timer == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in bound.value.turn() }
    }

    private func turn() {
        now += 1
        let slot = now % Self.slotCount
        let due = slots[slot]
        slots[slot] = [:]
        for (key, session) in due {
            // One that was ended by another's turn is gone.
            guard slotOfSession.removeValue(forKey: key) != nil else { continue }
            look(at: session)
        }
    }

    /// Scheduled again before anything is done: what is done may end the session.
    private func look(at session: ChatSession) {
        var heartbeat = Heartbeat.Action.none
        if session.heartbeatDue.tick <= now { heartbeat = beat(session) }
        let token = session.token?.due(now: .now) ?? .none
        schedule(session)
        let transport = session.transport
        switch heartbeat {
        case .none: break
        case .ping: transport.send(WebSocketFrame.ping())
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
