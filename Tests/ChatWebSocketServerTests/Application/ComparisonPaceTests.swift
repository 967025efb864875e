import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct ComparisonPaceTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let intervals = HeadComparison.Intervals()

    @Test func theLogIsAskedSeldomWhileRedisIsHeard() {
        var pace = ComparisonPace(intervals)
        #expect(pace.interval(now: start) == intervals.whileDeaf)
        pace.isHearing = true
        #expect(pace.interval(now: start) == intervals.whileHearing)
    }

    @Test func whatRedisDidNotBringMakesTheLogBeAskedOftenForAMinute() {
        var pace = ComparisonPace(intervals)
        pace.isHearing = true
        let isShorter = [
            pace.eventsWereMissed(now: start), pace.eventsWereMissed(now: start + .seconds(30)),
        ]
        #expect(isShorter == [true, false])
        #expect(pace.interval(now: start + .seconds(89)) == intervals.whileDeaf)
        #expect(pace.interval(now: start + .seconds(90)) == intervals.whileHearing)
    }
}
