import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite struct TokenLifetimeTests {
    private func at(_ seconds: Int64) -> Timestamp { Timestamp(microseconds: seconds * 1_000_000) }

    @Test func `warns a minute before the end and closes half a minute after it`() {
        let end = at(900)
        var lifetime = TokenLifetime(expiresAt: end)
        #expect(lifetime.wait(now: at(0)) == .seconds(840))
        #expect(lifetime.due(now: at(839)) == .none)
        #expect(lifetime.due(now: at(840)) == .warn(expiresAt: end))
        #expect(lifetime.wait(now: at(840)) == .seconds(90))
        #expect(lifetime.due(now: at(900)) == .none)
        #expect(lifetime.due(now: at(929)) == .none)
        #expect(lifetime.due(now: at(930)) == .close)
    }

    @Test func `a token that ends within the minute is warned of at once`() {
        var lifetime = TokenLifetime(expiresAt: at(30))
        #expect(lifetime.wait(now: at(0)) <= .zero)
        #expect(lifetime.due(now: at(0)) == .warn(expiresAt: at(30)))
        #expect(lifetime.due(now: at(0)) == .none)
        #expect(lifetime.due(now: at(60)) == .close)
    }
}
