import NIOCore
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct LivenessTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000)

    private func liveness() -> Liveness {
        Liveness(interval: .seconds(5), timeout: .seconds(3), now: start)
    }

    @Test func `asks after a silence and declares death after another`() {
        var liveness = liveness()
        #expect(liveness.check(now: start) == .check(at: start + .seconds(5)))
        #expect(liveness.check(now: start + .seconds(5)) == .ping(checkAt: start + .seconds(8)))
        #expect(liveness.check(now: start + .seconds(7)) == .check(at: start + .seconds(8)))
        #expect(liveness.check(now: start + .seconds(8)) == .dead)
    }

    @Test func `looks again early enough for the next ping`() {
        var liveness = Liveness(interval: .seconds(1), timeout: .seconds(3), now: start)
        #expect(liveness.check(now: start + .seconds(1)) == .ping(checkAt: start + .seconds(2)))
        #expect(liveness.check(now: start + .seconds(2)) == .check(at: start + .seconds(4)))
    }

    @Test func `any byte is life`() {
        var liveness = liveness()
        _ = liveness.check(now: start + .seconds(5))
        liveness.received(now: start + .seconds(6))
        #expect(liveness.check(now: start + .seconds(8)) == .check(at: start + .seconds(11)))
        #expect(liveness.check(now: start + .seconds(11)) == .ping(checkAt: start + .seconds(14)))
    }
}
