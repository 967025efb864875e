import ChatEvents
import CommonUtil
import DequeModule
import NIOCore

/// Who said lately that someone types. Pure, no I/O.
///
/// What a session says goes over Redis to all servers and comes back to this one, in the very bytes that were
/// published: by them the ledger knows whose it is, since whoever said it does not get it. Two sessions of one user that
/// say the same at the same time cannot be told apart, and need not be: each gets the other's, which reads the same.
struct TypingLedger {
    /// For so long the same is not said again.
    static let repetition = TimeAmount.seconds(2)
    /// What has not come back from Redis by then is lost.
    static let echoTime = TimeAmount.seconds(5)

    private struct Statement {
        let isTyping: Bool
        let until: NIODeadline
    }
    private struct Echo {
        let sessionID: String
        let until: NIODeadline
    }
    private struct Expiry {
        let place: TypingPlace
        let json: ByteBuffer
        let until: NIODeadline
    }

    private var statements: [TypingPlace: Statement] = [:]
    private var echoes: [ByteBuffer: Deque<Echo>] = [:]
    /// In the order of time; empties the other two.
    private var expiries: Deque<Expiry> = []

    /// How many statements are remembered: those of the last five seconds.
    var count: Int { expiries.count }

    /// Takes what a session says.
    /// - Returns: what is to be published; `nil` where the same was said a moment ago.
    mutating func say(
        _ isTyping: Bool, in roomID: RoomID, by userID: UserID, sessionID: String, now: NIODeadline
    ) -> EphemeralEvent? {
        expire(now)
        let place = TypingPlace(roomID: roomID, userID: userID)
        if let last = statements[place], last.isTyping == isTyping, now < last.until { return nil }
        statements[place] = Statement(isTyping: isTyping, until: now + Self.repetition)
        let event = EphemeralEvent.typing(roomID, userID, isTyping: isTyping)
        let json = ByteBuffer(bytes: event.jsonBytes)
        echoes[json, default: []].append(Echo(sessionID: sessionID, until: now + Self.echoTime))
        expiries.append(Expiry(place: place, json: json, until: now + Self.echoTime))
        return event
    }

    /// Whose words an event repeats that came from Redis; each is recognised once.
    mutating func sender(of json: ByteBuffer, now: NIODeadline) -> String? {
        expire(now)
        guard let echo = echoes[json]?.popFirst() else { return nil }
        if echoes[json]?.isEmpty == true { echoes[json] = nil }
        return echo.sessionID
    }

    private mutating func expire(_ now: NIODeadline) {
        while let oldest = expiries.first, oldest.until <= now {
            expiries.removeFirst()
            if let statement = statements[oldest.place], statement.until <= now { statements[oldest.place] = nil }
            while let echo = echoes[oldest.json]?.first, echo.until <= now { echoes[oldest.json]?.removeFirst() }
            if echoes[oldest.json]?.isEmpty == true { echoes[oldest.json] = nil }
        }
    }
}
