import CommonUtil
import Metrics

/// What delivery counts. The handles are made once: looking one up per frame would cost more than the frame.
struct DeliveryMetrics: Sendable {
    private let live = Meter(label: "chat_sessions", dimensions: [("state", "live")])
    private let catchingUp = Meter(label: "chat_sessions", dimensions: [("state", "catching_up")])
    private let framesSent = Counter(label: "chat_frames_sent_total")
    private let bytesSent = Counter(label: "chat_frame_bytes_sent_total")
    private let fromRedis = Counter(label: "chat_events_received_total", dimensions: [("from", "redis")])
    private let fromLog = Counter(label: "chat_events_received_total", dimensions: [("from", "log")])
    private let invalid = Counter(label: "chat_events_invalid_total")
    private let holes = Counter(label: "chat_feed_holes_total")
    private let rooms = Gauge(label: "chat_rooms_with_sessions")
    private let delays = Metrics.Timer(label: "chat_delivery_seconds")
    private let closes = Dictionary(
        uniqueKeysWithValues: CloseCode.allCases.map { code in
            (code, Counter(label: "chat_sessions_closed_total", dimensions: [("code", String(code.rawValue))]))
        })

    func opened(_ phase: ChatSession.Phase) { meter(phase).increment() }
    func closed(_ phase: ChatSession.Phase) { meter(phase).decrement() }
    func moved(from old: ChatSession.Phase, to new: ChatSession.Phase) {
        meter(old).decrement()
        meter(new).increment()
    }
    func sent(frames: Int, bytes: Int) {
        framesSent.increment(by: frames)
        bytesSent.increment(by: bytes)
    }
    func delivered(_ dispatch: RoomDispatch) {
        for event in dispatch.events {
            guard let sentAt = event.sentAt else { continue }
            delays.recordMicroseconds(max(0, Timestamp.now.microseconds - sentAt.microseconds))
        }
    }
    func receivedFromRedis(_ count: Int) { fromRedis.increment(by: count) }
    func receivedFromLog(_ count: Int) { fromLog.increment(by: count) }
    func receivedInvalid(_ count: Int = 1) { invalid.increment(by: count) }
    func foundHole() { holes.increment() }
    func hasRooms(_ count: Int) { rooms.record(count) }
    func ended(_ code: CloseCode) { closes[code]?.increment() }

    private func meter(_ phase: ChatSession.Phase) -> Meter { phase == .live ? live : catchingUp }
}
