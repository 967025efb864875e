import ChatEvents
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct TypingLedgerTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let user = UserID(7)
    private let a = SessionID.random()
    private let b = SessionID.random()

    private func json(_ event: EphemeralEvent?) -> ByteBuffer { ByteBuffer(bytes: event?.jsonBytes ?? []) }

    @Test func `a new statement is published at once, and a repeated one is suppressed for an interval`() {
        var ledger = TypingLedger()
        func say(_ isTyping: Bool, at seconds: Int64) -> EphemeralEvent? {
            ledger.record(isTyping, in: hall, by: user, sessionID: a, now: start + .seconds(seconds))
        }
        #expect(say(true, at: 0) == .typing(hall, user, isTyping: true))
        #expect(say(true, at: 1) == nil)
        #expect(say(false, at: 1) == .typing(hall, user, isTyping: false))
        #expect(say(true, at: 1) == .typing(hall, user, isTyping: true))
        #expect(say(true, at: 2) == nil)
        #expect(say(true, at: 3) == .typing(hall, user, isTyping: true))
    }

    @Test func `a statement that returns is matched to its session, once`() {
        var ledger = TypingLedger()
        let mine = json(ledger.record(true, in: hall, by: user, sessionID: a, now: start))
        let other = json(ledger.record(true, in: hall, by: UserID(8), sessionID: b, now: start))
        #expect(ledger.sender(of: other, now: start) == b)
        #expect(ledger.sender(of: mine, now: start) == a)
        #expect(ledger.sender(of: mine, now: start) == nil)
        #expect(ledger.sender(of: ByteBuffer(string: "{}"), now: start) == nil)
    }

    @Test func `a statement that does not return is removed`() {
        var ledger = TypingLedger()
        let lost = json(ledger.record(true, in: hall, by: user, sessionID: a, now: start))
        #expect(ledger.count == 1)
        #expect(ledger.sender(of: lost, now: start + TypingLedger.echoTime) == nil)
        #expect(ledger.count == 0)
        // And does not match the next one.
        let next = json(ledger.record(true, in: hall, by: user, sessionID: b, now: start + .seconds(6)))
        #expect(ledger.sender(of: next, now: start + .seconds(7)) == b)
    }
}
