import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct ThrottleTests {
    @Test func `one in an interval passes with the number of all`() {
        let start = ContinuousClock.now
        var throttle = Throttle(interval: .seconds(60))
        let passed = [
            throttle.pass(now: start), throttle.pass(3, now: start), throttle.pass(now: start + .seconds(59)),
            throttle.pass(2, now: start + .seconds(60)), throttle.pass(now: start + .seconds(61)),
            throttle.pass(now: start + .seconds(200)),
        ]
        #expect(passed == [1, nil, nil, 6, nil, 2])
    }
}
