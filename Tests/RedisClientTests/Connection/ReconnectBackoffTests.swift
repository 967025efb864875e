import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(2))) struct ReconnectBackoffTests {
    private func backoff() -> ReconnectBackoff {
        ReconnectBackoff(minimum: .milliseconds(50), maximum: .milliseconds(300))
    }

    private func range(_ milliseconds: Int) -> ClosedRange<Duration> {
        .milliseconds(milliseconds) / 2 ... .milliseconds(milliseconds)
    }

    @Test func `doubles up to the maximum, jittered by half`() {
        var generator = SystemRandomNumberGenerator()
        var seen: Set<Duration> = []
        for _ in 0..<100 {
            var backoff = backoff()
            for milliseconds in [50, 100, 200, 300, 300] {
                let delay = backoff.next(using: &generator)
                #expect(range(milliseconds).contains(delay))
                seen.insert(delay)
            }
        }
        #expect(seen.count > 400)
    }

    @Test func `only a connection that lasted starts over`() {
        var generator = SystemRandomNumberGenerator()
        var backoff = backoff()
        for _ in 0..<3 { _ = backoff.next(using: &generator) }
        backoff.connectionEnded(after: .milliseconds(300))
        #expect(range(300).contains(backoff.next(using: &generator)))
        backoff.connectionEnded(after: .milliseconds(301))
        #expect(range(50).contains(backoff.next(using: &generator)))
    }
}
