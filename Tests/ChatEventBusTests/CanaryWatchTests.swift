import Testing

@testable import ChatEventBus

@Suite(.timeLimit(.minutes(2))) struct CanaryWatchTests {
    private static let start = ContinuousClock.now
    private func at(_ seconds: Double) -> ContinuousClock.Instant { Self.start + .seconds(seconds) }

    /// Subscribed at 0 and hearing.
    private func hearing() -> CanaryWatch {
        var watch = CanaryWatch(timing: .init(), now: at(0))
        #expect(watch.subscriptionChanged(isSubscribed: true, now: at(0)) == false)
        #expect(watch.received(now: at(0)) == true)
        return watch
    }

    @Test func `a subscription delivers from its first message on, not from its confirmation`() {
        var watch = CanaryWatch(timing: .init(), now: at(0))
        #expect(watch.received(now: at(0)) == false)
        _ = watch.subscriptionChanged(isSubscribed: true, now: at(0))
        #expect(!watch.isDelivering)
        #expect(watch.received(now: at(0.1)) == true)
        #expect(watch.received(now: at(1)) == false)
        #expect(watch.isDelivering)
    }

    @Test func `three misses stall it and rebuild it`() {
        var watch = hearing()
        for second in 1...3 { watch.published(began: at(Double(second))) }
        #expect(watch.check(now: at(3)) == [])
        #expect(watch.check(now: at(3.1)) == [.stalled, .rebuild])
        #expect(!watch.isDelivering)
        #expect(watch.check(now: at(4)) == [])
    }

    @Test func `one that stays stalled is rebuilt ever more rarely, until it delivers`() {
        var watch = hearing()
        watch.published(began: at(1))
        _ = watch.check(now: at(3.1))
        var rebuilds: [Double] = []
        for second in 4...120 {
            watch.published(began: at(Double(second) - 0.5))
            let actions = watch.check(now: at(Double(second)))
            #expect(!actions.contains(.stalled))
            if actions.contains(.rebuild) {
                rebuilds.append(Double(second))
                // A new connection, confirmed at once, that delivers nothing either.
                #expect(watch.subscriptionChanged(isSubscribed: false, now: at(Double(second))) == false)
                #expect(watch.subscriptionChanged(isSubscribed: true, now: at(Double(second))) == false)
                #expect(!watch.isDelivering)
            }
        }
        let gaps = zip(rebuilds.dropFirst(), rebuilds).map(-)
        #expect(gaps.count >= 5)
        #expect(gaps.allSatisfy { (3...16).contains($0) })
        #expect(watch.received(now: at(121)) == true)
        watch.published(began: at(122))
        #expect(watch.check(now: at(124.1)) == [.stalled, .rebuild])
    }

    @Test func `without messages that are published nothing is known, and nothing is rebuilt`() {
        var watch = hearing()
        // The last one to be published came back before its publishing was answered.
        watch.published(began: at(-0.1))
        #expect(watch.check(now: at(3.1)) == [.stalled])
        for second in 4...120 { #expect(watch.check(now: at(Double(second))) == []) }
        // Redis takes messages again. The subscription has as long to deliver them as ever.
        watch.published(began: at(121))
        #expect(watch.check(now: at(123)) == [])
        #expect(watch.check(now: at(123.1)) == [.rebuild])
    }

    @Test func `messages that were published before a subscription are not missing in it`() {
        var watch = hearing()
        watch.published(began: at(1))
        _ = watch.subscriptionChanged(isSubscribed: false, now: at(2))
        _ = watch.subscriptionChanged(isSubscribed: true, now: at(2.5))
        watch.published(began: at(2.4))
        #expect(watch.check(now: at(10)) == [])
        watch.published(began: at(11))
        #expect(watch.check(now: at(13.1)) == [.rebuild])
    }

    @Test func `a lost connection is stalled at once, and nothing is rebuilt while there is none`() {
        var watch = hearing()
        #expect(watch.subscriptionChanged(isSubscribed: false, now: at(1)) == true)
        #expect(watch.subscriptionChanged(isSubscribed: false, now: at(1)) == false)
        #expect(watch.check(now: at(60)) == [])
        #expect(watch.silence(now: at(60)) == .seconds(60))
    }
}
