import CommonUtil
import Metrics

/// Metrics of sessions and delivery. The handles are made once: looking one up per frame would cost more than the frame.
struct DeliveryMetrics: Sendable {
    private let live: Meter
    private let catchingUp: Meter
    private let framesSent: Counter
    private let bytesSent: Counter
    private let fromRedis: Counter
    private let fromLog: Counter
    private let invalid: Counter
    private let holes: Counter
    private let gaps: Counter
    private let rooms: Gauge
    private let streams: Meter
    private let delays: Metrics.Timer
    private let closes: [CloseCode: Counter]

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        func counter(_ label: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        func sessions(_ state: String) -> Meter {
            Meter(label: "chat_sessions", dimensions: [("state", state)], factory: factory)
        }
        live = sessions("live")
        catchingUp = sessions("catching_up")
        framesSent = counter("chat_frames_sent_total")
        bytesSent = counter("chat_frame_bytes_sent_total")
        fromRedis = counter("chat_events_received_total", [("from", "redis")])
        fromLog = counter("chat_events_received_total", [("from", "log")])
        invalid = counter("chat_events_invalid_total")
        holes = counter("chat_feed_holes_total")
        gaps = counter("chat_log_holes_total")
        rooms = Gauge(label: "chat_rooms_with_sessions", factory: factory)
        streams = Meter(label: "chat_event_streams", factory: factory)
        delays = Metrics.Timer(label: "chat_delivery_seconds", factory: factory)
        closes = Dictionary(
            uniqueKeysWithValues: CloseCode.allCases.map { code in
                (code, counter("chat_sessions_closed_total", [("code", String(code.rawValue))]))
            })
    }

    /// Counts a session in its new phase.
    /// - Parameter old: `nil` for a session that begins.
    func moved(from old: SessionCursor.Phase?, to new: SessionCursor.Phase) {
        old.flatMap(meter)?.decrement()
        meter(new)?.increment()
    }

    /// Counts frames and bytes that were sent to sessions.
    func sent(frames: Int, bytes: Int) {
        framesSent.increment(by: frames)
        bytesSent.increment(by: bytes)
    }

    /// Records the delay from commit to socket of a dispatch's new messages.
    func delivered(_ dispatch: RoomDispatch) {
        for event in dispatch.events {
            guard let sentAt = event.sentAt else { continue }
            delays.recordMicroseconds(max(0, Timestamp.now.microseconds - sentAt.microseconds))
        }
    }

    /// Counts events that arrived from Redis.
    func receivedFromRedis(_ count: Int) { fromRedis.increment(by: count) }

    /// Counts events that were read from the log.
    func receivedFromLog(_ count: Int) { fromLog.increment(by: count) }

    /// Counts events that sockets cannot get.
    func receivedInvalid(_ count: Int = 1) { invalid.increment(by: count) }

    /// Counts events that arrived before their predecessor.
    func foundGap() { holes.increment() }

    /// Counts gaps in logs that were stepped over.
    func steppedOverGap() { gaps.increment() }

    /// Sets the number of rooms that have sessions here.
    func setRooms(_ count: Int) { rooms.record(count) }

    /// Counts an event stream that began.
    func streamBegan() { streams.increment() }

    /// Takes an event stream that ended off the count.
    func streamEnded() { streams.decrement() }

    /// Counts a session that ended.
    func ended(_ code: CloseCode) { closes[code]?.increment() }

    /// - Returns: `nil` for a phase that has no gauge.
    private func meter(_ phase: SessionCursor.Phase) -> Meter? {
        switch phase {
        case .live: live
        case .catchingUp: catchingUp
        case .ended: nil
        }
    }
}
