import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct SharedBucketsTests {
    private let start = ContinuousClock.now

    // MARK: Alone

    @Test func `every key has a bucket of its own`() {
        var buckets = SharedBuckets<String, Int>(rate: Rate(1, per: .second))
        for key in ["a", "b"] {
            let taken = (0..<9).count { _ in buckets.take(key, isShared: false, at: start) == .granted }
            #expect(taken == 5)
        }
        let verdict = buckets.take("a", isShared: false, at: start + .milliseconds(400))
        #expect(verdict == .refused(.milliseconds(600)))
    }

    @Test func `buckets that are full again are forgotten`() {
        var buckets = SharedBuckets<Int, Int>(rate: Rate(1, per: .second))
        for key in 0..<100_000 {
            _ = buckets.take(key, isShared: false, at: start + .milliseconds(10 * key))
            // A hundred are in use at a time.
            #expect(buckets.count <= 1_024)
        }
    }

    @Test func `memory is bounded, and those who overdo it stay limited`() {
        var buckets = SharedBuckets<Int, Int>(rate: Rate(1, per: .second), capacity: 2_000)
        let hot = -1
        var taken = 0
        for key in 0..<50_000 {
            _ = buckets.take(key, isShared: false, at: start)
            if buckets.take(hot, isShared: false, at: start) == .granted { taken += 1 }
            #expect(buckets.count <= 2_001)
        }
        #expect(taken == 5)
    }

    @Test func `without a rate nothing is kept`() {
        var buckets = SharedBuckets<Int, Int>(rate: Rate(0, per: .second))
        for key in 0..<100 { _ = buckets.take(key, isShared: true, at: start) }
        #expect(buckets.count == 0)
    }

    // MARK: Shared

    @Test(arguments: [("100/s", 10), ("10/s", 1), ("2/s", 1), ("1/m", 1), ("6000/m", 10), ("1000000/s", 100_000)])
    func `the shared bucket is asked with each share`(text: String, share: Int) throws {
        let rate = try #require(Rate(text: text))
        #expect(rate.share == share)
        var buckets = SharedBuckets<Int, Int>(rate: rate)
        let unasked = (0..<share - 1).count { _ in buckets.take(1, isShared: true, at: start) == .granted }
        #expect(unasked == share - 1)
        let verdict = buckets.take(1, isShared: true, at: start)
        #expect(verdict == .undecided)
        let ask = buckets.wait(7, for: 1, at: start)
        #expect(ask == .init(key: 1, spent: share - 1, wanted: 1))
    }

    @Test func `those who come while it is asked wait, and are asked for together`() {
        var buckets = SharedBuckets<Int, Int>(rate: Rate(2, per: .second))
        let first = buckets.wait(0, for: 1, at: start)
        #expect(first?.wanted == 1)
        for waiter in 1...3 {
            let ask = buckets.wait(waiter, for: 1, at: start)
            #expect(ask == nil)
        }
        let (decisions, next) = buckets.received(.init(granted: 1, fullIn: .milliseconds(4_000)), for: 1, at: start)
        #expect(decisions.map(\.waiter) == [0])
        #expect(decisions[0].refusal == nil)
        #expect(next == .init(key: 1, spent: 0, wanted: 3))
        // Of the two tokens that were left, another process took one.
        let (rest, none) = buckets.received(.init(granted: 1, fullIn: .seconds(5)), for: 1, at: start)
        #expect(rest.map(\.waiter) == [1, 2, 3])
        #expect(rest.map(\.refusal) == [nil, .milliseconds(500), .milliseconds(500)])
        #expect(none == nil)
    }

    @Test func `tokens that others took are known from the reply, and refused without a request`() {
        var buckets = SharedBuckets<Int, Int>(rate: Rate(2, per: .second))
        _ = buckets.wait(0, for: 1, at: start)
        _ = buckets.received(.init(granted: 0, fullIn: .milliseconds(5_200)), for: 1, at: start)
        let verdict = buckets.take(1, isShared: true, at: start)
        #expect(verdict == .refused(.milliseconds(700)))
        let later = buckets.take(1, isShared: true, at: start + .milliseconds(700))
        #expect(later == .undecided)
    }

    @Test func `one process alone is as exact as without sharing`() {
        let rate = Rate(100, per: .second)
        var buckets = SharedBuckets<Int, Int>(rate: rate)
        var shared = TokenBucket(at: start)
        var granted = 0
        for number in 0..<600 {
            let now = start + .microseconds(number)
            switch buckets.take(1, isShared: true, at: now) {
            case .granted: granted += 1
            case .refused: break
            case .undecided:
                guard let ask = buckets.wait(number, for: 1, at: now) else { continue }
                let isGiven = (0..<ask.spent + ask.wanted).map { _ in shared.take(rate, at: now) == nil }.last ?? false
                let fullIn = rate.interval * (granted + 1) - .microseconds(number)
                let (decisions, _) = buckets.received(.init(granted: isGiven ? 1 : 0, fullIn: fullIn), for: 1, at: now)
                granted += decisions.count { $0.refusal == nil }
            }
        }
        #expect(granted == 500)
    }

    @Test func `without a reply the local bucket decides`() {
        var buckets = SharedBuckets<Int, Int>(rate: Rate(1, per: .second))
        for waiter in 0..<7 { _ = buckets.wait(waiter, for: 1, at: start) }
        let decisions = buckets.failed(1, at: start)
        #expect(decisions.map { $0.refusal == nil } == [true, true, true, true, true, false, false])
        let verdict = buckets.take(1, isShared: false, at: start)
        #expect(verdict == .refused(.seconds(1)))
        let ask = buckets.wait(9, for: 1, at: start + .seconds(1))
        #expect(ask?.spent == 0)
    }

    @Test func `what was not reported is forgotten a second after the bucket is full`() {
        var buckets = SharedBuckets<Int, Int>(rate: Rate(30, per: .second))
        for _ in 0..<2 { _ = buckets.take(1, isShared: true, at: start) }
        let soon = buckets.take(1, isShared: true, at: start + .seconds(1))
        #expect(soon == .undecided)
        let late = buckets.take(1, isShared: true, at: start + .seconds(2))
        #expect(late == .granted)
    }
}

@Suite(.timeLimit(.minutes(2))) struct SharingStateTests {
    private let start = ContinuousClock.now

    @Test func `one at a time tries again, after a while`() {
        var state = SharingState(backoff: Backoff(first: .seconds(1), longest: .seconds(1)))
        #expect(state.isShared)
        let isNews = state.failed(at: start)
        #expect(isNews)
        let again = state.failed(at: start)
        #expect(!again)
        let early = state.mayTryAgain(at: start + .milliseconds(499))
        #expect(!early)
        let first = state.mayTryAgain(at: start + .seconds(1))
        let second = state.mayTryAgain(at: start + .seconds(1))
        #expect(first && !second)
        let isBack = state.succeeded()
        #expect(isBack && state.isShared)
        let stillBack = state.succeeded()
        #expect(!stillBack)
    }
}
