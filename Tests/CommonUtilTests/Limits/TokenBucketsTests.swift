import CommonUtil
import Testing

@Suite struct TokenBucketsTests {
    private let start = ContinuousClock.now
    private let rate = Rate(1, per: .second)

    @Test func `every key has a bucket of its own`() {
        var buckets = TokenBuckets<String>(rate: rate)
        for key in ["a", "b"] {
            let taken = (0..<9).count { _ in buckets.take(key, at: start) == nil }
            #expect(taken == 5)
        }
        let wait = buckets.take("a", at: start + .milliseconds(400))
        #expect(wait == .milliseconds(600))
    }

    @Test func `buckets that are full again are forgotten`() {
        var buckets = TokenBuckets<Int>(rate: rate)
        for key in 0..<100_000 {
            _ = buckets.take(key, at: start + .milliseconds(10 * key))
            // A hundred are in use at a time.
            #expect(buckets.count <= 1_024)
        }
    }

    @Test func `memory is bounded, and those who overdo it stay limited`() {
        var buckets = TokenBuckets<Int>(rate: rate, capacity: 2_000)
        let hot = -1
        var taken = 0
        for key in 0..<50_000 {
            _ = buckets.take(key, at: start)
            if buckets.take(hot, at: start) == nil { taken += 1 }
            #expect(buckets.count <= 2_001)
        }
        #expect(taken == 5)
    }

    @Test func `without a rate nothing is kept`() {
        var buckets = TokenBuckets<Int>(rate: Rate(0, per: .second))
        for key in 0..<100 { _ = buckets.take(key, at: start) }
        #expect(buckets.count == 0)
    }
}
