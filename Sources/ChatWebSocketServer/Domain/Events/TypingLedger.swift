import ChatEvents
import CommonUtil
import DequeModule
import NIOCore

/// Recent typing statements of this server's sessions. Pure: no I/O.
///
/// A statement goes through Redis to all servers and returns to this one in the same bytes. By these the ledger finds the
/// session that made it, which does not get it. Two sessions of one user that state the same at the same time cannot be
/// distinguished and need not be: each gets the other's statement, which is equal.
struct TypingLedger {
    /// Suppression interval for repeated statements of one user.
    static let repetition = TimeAmount.seconds(2)
    /// Time for a statement to return from Redis; after it, it counts as lost.
    static let echoTime = TimeAmount.seconds(5)

    private struct Statement {
        let isTyping: Bool
        let until: NIODeadline
    }
    private struct Echo {
        let sessionID: SessionID
        let until: NIODeadline
    }
    private struct Expiry {
        let place: TypingKey
        let json: ByteBuffer
        let until: NIODeadline
    }

    private var statements: [TypingKey: Statement] = [:]
    private var echoes: [ByteBuffer: Deque<Echo>] = [:]
    /// In order of time; entries of the other two are removed by it.
    private var expiries: Deque<Expiry> = []

    /// Number of statements recorded within ``echoTime``.
    var count: Int { expiries.count }

    /// Records a session's statement.
    /// - Returns: the event to publish; `nil` if the same was published within ``repetition``.
    mutating func record(
        _ isTyping: Bool, in roomID: RoomID, by userID: UserID, sessionID: SessionID, now: NIODeadline
    ) -> EphemeralEvent? {
        expire(now)
        let place = TypingKey(roomID: roomID, userID: userID)
        if let last = statements[place], last.isTyping == isTyping, now < last.until { return nil }
        statements[place] = Statement(isTyping: isTyping, until: now + Self.repetition)
        let event = EphemeralEvent.typing(roomID, userID, isTyping: isTyping)
        let json = ByteBuffer(bytes: event.jsonBytes)
        echoes[json, default: []].append(Echo(sessionID: sessionID, until: now + Self.echoTime))
        expiries.append(Expiry(place: place, json: json, until: now + Self.echoTime))
        return event
    }

    /// The session whose statement an event from Redis repeats; each statement is matched once.
    mutating func sender(of json: ByteBuffer, now: NIODeadline) -> SessionID? {
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
