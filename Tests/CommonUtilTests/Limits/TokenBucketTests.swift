import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct TokenBucketTests {
    private let start = ContinuousClock.now

    @Test func `is small enough to have one for every socket`() {
        #expect(MemoryLayout<TokenBucket>.size == 16)
    }

    @Test(arguments: [Rate(10, per: .minute), Rate(100, per: .second), Rate(7, per: .second)])
    func `lets a burst through, and then one at a time`(rate: Rate) {
        var bucket = TokenBucket(at: start)
        for _ in 0..<rate.burst {
            let wait = bucket.take(rate, at: start)
            #expect(wait == nil)
        }
        let period: Duration = rate.period == .second ? .seconds(1) : .seconds(60)
        let wait = bucket.take(rate, at: start)
        #expect(wait == period / rate.count)
        // A refusal costs nothing.
        let secondWait = bucket.take(rate, at: start + period / rate.count - .nanoseconds(1))
        #expect(secondWait == .nanoseconds(1))
        let third = bucket.take(rate, at: start + period / rate.count)
        #expect(third == nil)
        let fourth = bucket.take(rate, at: start + period / rate.count)
        #expect(fourth != nil)
    }

    @Test func `fills up to the burst and no further`() {
        let rate = Rate(2, per: .second)
        var bucket = TokenBucket(at: start)
        #expect(bucket.isFull(at: start))
        for _ in 0..<10 { _ = bucket.take(rate, at: start) }
        #expect(!bucket.isFull(at: start + .milliseconds(4_999)))
        #expect(bucket.isFull(at: start + .seconds(5)))
        let late = start + .seconds(3_600)
        let taken = (0..<20).count { _ in bucket.take(rate, at: late) == nil }
        #expect(taken == 10)
    }

    @Test func `over a long time the rate is kept`() {
        let rate = Rate(3, per: .second)
        var bucket = TokenBucket(at: start)
        let taken = (0..<10_000).count { bucket.take(rate, at: start + .milliseconds(10 * $0)) == nil }
        // 100 seconds, less the last hundredth.
        #expect((rate.burst + 299...rate.burst + 300).contains(taken))
    }

    @Test func `without a rate there is no limit`() {
        var bucket = TokenBucket(at: start)
        let waits = (0..<1_000).compactMap { _ in bucket.take(Rate(0, per: .second), at: start) }
        #expect(waits == [])
        #expect(bucket.isFull(at: start))
    }
}
