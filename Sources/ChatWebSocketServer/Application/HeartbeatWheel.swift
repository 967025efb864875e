import NIOCore

/// Looks at each session when its heartbeat is due: one timer for an event loop, not one for each session. A turn
/// costs what is due, not what there is. Confined to the event loop.
final class HeartbeatWheel {
    private struct Due {
        let session: ChatSession
        let elapsed: Duration
    }

    private static let tick = TimeAmount.seconds(1)
    /// More than the longest interval, in ticks.
    private static let slotCount = 32

    private let eventLoop: any EventLoop
    private var slots: [[ObjectIdentifier: Due]] = Array(repeating: [:], count: slotCount)
    private var slotOfSession: [ObjectIdentifier: Int] = [:]
    private var current = 0
    private var timer: RepeatedTask?

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func begin(_ session: ChatSession) {
        // Spread over the interval, so that sessions that came together are not all looked at together.
        schedule(session, in: .seconds(Int64.random(in: 15...25)))
        startTimer()
    }

    func end(_ session: ChatSession) {
        let key = ObjectIdentifier(session)
        if let slot = slotOfSession.removeValue(forKey: key) { slots[slot][key] = nil }
        if slotOfSession.isEmpty {
            timer?.cancel()
            timer = nil
        }
    }

    private func schedule(_ session: ChatSession, in interval: Duration) {
        let ticks = max(1, min(Int(interval.components.seconds), Self.slotCount - 1))
        let slot = (current + ticks) % Self.slotCount
        let key = ObjectIdentifier(session)
        slots[slot][key] = Due(session: session, elapsed: interval)
        slotOfSession[key] = slot
    }

    private func startTimer() {
        guard timer == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: Self.tick, delay: Self.tick) { _ in bound.value.turn() }
    }

    private func turn() {
        current = (current + 1) % Self.slotCount
        let due = slots[current]
        slots[current] = [:]
        for (key, entry) in due {
            slotOfSession[key] = nil
            look(at: entry.session, elapsed: entry.elapsed)
        }
    }

    private func look(at session: ChatSession, elapsed: Duration) {
        let transport = session.transport
        let (action, next) = session.heartbeat.due(
            elapsed: elapsed, bytesQueued: transport.queuedBytes, bytesWritten: transport.bytesWritten)
        schedule(session, in: next)
        switch action {
        case .none: break
        case .ping:
            transport.write(WebSocketFrame.ping())
            transport.flush()
        case .drop: transport.abort()
        case .closeStalled: transport.close(CloseReason(.tryAgainLater, "nothing was read for a minute"))
        }
    }
}
