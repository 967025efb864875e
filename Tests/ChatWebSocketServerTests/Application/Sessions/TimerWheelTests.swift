import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct TimerWheelTests {
    private final class Member {
        let name: String

        init(_ name: String) { self.name = name }
    }

    private let eventLoop = EmbeddedEventLoop()
    private let wheel: TimerWheel<Member>
    private let due = Log()

    private final class Log {
        var names: [String] = []
    }

    init() {
        wheel = TimerWheel(eventLoop: eventLoop, tick: .seconds(1), longest: 10)
        wheel.onDue = { [due] in due.names.append($0.name) }
    }

    private func pass(_ seconds: Int64) -> [String] {
        due.names = []
        eventLoop.advanceTime(by: .seconds(seconds))
        return due.names
    }

    @Test func `each member is due once, after its ticks`() {
        for ticks in [3, 1, 10] { wheel.schedule(Member("\(ticks)"), in: ticks) }
        #expect(pass(1) == ["1"])
        #expect(pass(1) == [])
        #expect(pass(1) == ["3"])
        #expect(pass(6) == [])
        #expect(pass(1) == ["10"])
        #expect(pass(100) == [])
    }

    @Test func `a member waits at least one tick and at most the longest`() {
        wheel.schedule(Member("now"), in: 0)
        wheel.schedule(Member("late"), in: 1_000)
        #expect(pass(1) == ["now"])
        #expect(pass(8) == [])
        #expect(pass(1) == ["late"])
    }

    @Test func `the last schedule of a member counts, and a cancelled member is not due`() {
        let (one, other) = (Member("one"), Member("other"))
        wheel.schedule(one, in: 2)
        wheel.schedule(other, in: 2)
        wheel.schedule(one, in: 4)
        wheel.cancel(other)
        #expect(wheel.contains(one))
        #expect(!wheel.contains(other))
        #expect(pass(3) == [])
        #expect(pass(1) == ["one"])
        #expect(!wheel.contains(one))
    }

    @Test func `of two members that are due together one may cancel or postpone the other`() {
        let members = [Member("a"), Member("b")]
        for member in members { wheel.schedule(member, in: 1) }
        wheel.onDue = { [wheel, due] member in
            due.names.append(member.name)
            for other in members where other !== member { wheel.cancel(other) }
        }
        #expect(pass(20).count == 1)

        for member in members { wheel.schedule(member, in: 1) }
        wheel.onDue = { [wheel, due] member in
            due.names.append(member.name)
            if due.names.count == 1 { for other in members where other !== member { wheel.schedule(other, in: 5) } }
        }
        #expect(pass(1).count == 1)
        #expect(pass(4) == [])
        #expect(pass(1).count == 1)
    }

    @Test func `an empty wheel stops, and starts again with the next member`() {
        wheel.schedule(Member("first"), in: 1)
        #expect(pass(1) == ["first"])
        let turns = wheel.now
        #expect(pass(1_000) == [])
        #expect(wheel.now == turns)
        wheel.schedule(Member("second"), in: 2)
        #expect(pass(2) == ["second"])
    }

    @Test func `a cancelled member is released`() {
        weak var member: Member?
        do {
            let first = Member("first")
            member = first
            wheel.schedule(first, in: 5)
            wheel.cancel(first)
        }
        #expect(member == nil)
    }
}
