import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct TypingThrottleTests {
    private typealias Throttle = TypingThrottle<String>

    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let place = TypingKey(roomID: hall, userID: UserID(7))

    private func time(_ milliseconds: Int64) -> NIODeadline { start + .milliseconds(milliseconds) }

    private func take(
        _ statement: String, _ throttle: inout Throttle, isTyping: Bool, at place: TypingKey? = nil,
        _ milliseconds: Int64 = 0
    ) -> Bool {
        throttle.take(statement, isTyping: isTyping, at: place ?? self.place, now: time(milliseconds))
    }

    /// The statements that are due, in a form that can be compared.
    private func due(_ throttle: inout Throttle, at milliseconds: Int64) -> [String] {
        throttle.popDue(now: time(milliseconds)).map { due in
            switch due {
            case .statement(let statement, _): statement
            case .ended: "ended"
            }
        }
    }

    @Test func `two statements a second pass, and the last one wins`() {
        var throttle = Throttle()
        var passed: [String] = []
        for number in 0..<300 {
            let now = Int64(number) * 10
            passed += due(&throttle, at: now)
            let statement = "\(number)"
            if throttle.take(statement, isTyping: number.isMultiple(of: 2), at: place, now: time(now)) {
                passed.append(statement)
            }
        }
        passed += due(&throttle, at: 3_000)
        #expect(passed == ["0", "49", "99", "149", "199", "249", "299"])
    }

    @Test func `users and rooms are throttled apart`() {
        var throttle = Throttle()
        let others = [
            place, TypingKey(roomID: hall, userID: UserID(8)),
            TypingKey(roomID: RoomID(verified: "den"), userID: UserID(7)),
        ]
        for other in others { #expect(take("a", &throttle, isTyping: true, at: other)) }
    }

    @Test func `typing that is not taken back ends ten seconds after its last statement`() {
        var throttle = Throttle()
        #expect(take("a", &throttle, isTyping: true, at: place))
        #expect(take("b", &throttle, isTyping: true, 4_000))
        #expect(due(&throttle, at: 13_999).isEmpty)
        #expect(throttle.nextDeadline == time(14_000))
        #expect(due(&throttle, at: 14_000) == ["ended"])
        #expect(throttle.count == 0)
        #expect(throttle.nextDeadline == nil)
    }

    @Test func `typing that was taken back does not end again`() {
        var throttle = Throttle()
        #expect(take("a", &throttle, isTyping: true, at: place))
        #expect(!take("b", &throttle, isTyping: false, 100))
        #expect(due(&throttle, at: 500) == ["b"])
        #expect(due(&throttle, at: 20_000).isEmpty)
        #expect(throttle.count == 0)
    }

    @Test func `a held statement begins its ten seconds when it passes`() {
        var throttle = Throttle()
        #expect(take("a", &throttle, isTyping: false, at: place))
        #expect(!take("b", &throttle, isTyping: true, 100))
        #expect(due(&throttle, at: 600) == ["b"])
        #expect(due(&throttle, at: 10_599).isEmpty)
        #expect(due(&throttle, at: 10_600) == ["ended"])
    }

    @Test func `a user who states nothing more is removed`() {
        var throttle = Throttle()
        for user in 1...100 {
            let place = TypingKey(roomID: hall, userID: UserID(Int64(user)))
            #expect(take("a", &throttle, isTyping: user.isMultiple(of: 2), at: place))
        }
        #expect(throttle.count == 100)
        #expect(due(&throttle, at: 500).isEmpty)
        #expect(throttle.count == 50)
        #expect(due(&throttle, at: 10_000).count == 50)
        #expect(throttle.count == 0)
    }
}
