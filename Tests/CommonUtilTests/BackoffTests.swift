import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(1))) struct BackoffTests {
    private func backoff() -> Backoff { Backoff(first: .milliseconds(50), longest: .milliseconds(300)) }

    private func range(_ milliseconds: Int) -> ClosedRange<Duration> {
        .milliseconds(milliseconds) / 2 ... .milliseconds(milliseconds)
    }

    @Test func `doubles up to the longest wait, jittered by half`() {
        var seen: Set<Duration> = []
        for _ in 0..<100 {
            var backoff = backoff()
            for milliseconds in [50, 100, 200, 300, 300] {
                let delay = backoff.next()
                #expect(range(milliseconds).contains(delay))
                seen.insert(delay)
            }
        }
        #expect(seen.count > 400)
    }

    @Test func `the wait after a number of failures is that of as many attempts`() {
        let backoff = Backoff(first: .milliseconds(50), longest: .seconds(3))
        for (failures, full) in [(1, 50), (2, 100), (3, 200), (6, 1600), (7, 3000), (1000, 3000)] {
            #expect(range(full).contains(backoff.delay(afterFailures: failures)), "\(failures) failures")
        }
    }

    @Test func `only a connection that lasted starts over`() {
        var backoff = backoff()
        for _ in 0..<3 { _ = backoff.next() }
        backoff.connectionEnded(after: .milliseconds(300))
        #expect(range(300).contains(backoff.next()))
        backoff.connectionEnded(after: .milliseconds(301))
        #expect(range(50).contains(backoff.next()))
    }
}
