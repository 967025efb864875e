import CommonAuth
import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct TokenLifetimeTests {
    private func at(_ seconds: Double) -> Timestamp { Timestamp(microseconds: Int64(seconds * 1_000_000)) }

    @Test func `the client is warned a minute before the expiry and closed half a minute after it`() {
        let end = at(900)
        var lifetime = TokenLifetime(expiresAt: end, issuedAt: at(0), now: at(0))
        #expect(lifetime.wait(now: at(0)) == .seconds(840))
        #expect(lifetime.due(now: at(839)) == .none)
        #expect(lifetime.due(now: at(840)) == .warn(expiresAt: end))
        #expect(lifetime.wait(now: at(840)) == .seconds(90))
        #expect(lifetime.due(now: at(900)) == .none)
        #expect(lifetime.due(now: at(929)) == .none)
        #expect(lifetime.due(now: at(930)) == .close)
    }

    @Test func `a session whose token cannot be renewed is warned as others are, and closed at the expiry`() {
        var lifetime = TokenLifetime(expiresAt: at(900), issuedAt: at(0), isRenewable: false, now: at(0))
        #expect(lifetime.due(now: at(840)) == .warn(expiresAt: at(900)))
        #expect(lifetime.wait(now: at(840)) == .seconds(60))
        #expect(lifetime.due(now: at(899.9)) == .none)
        #expect(lifetime.due(now: at(900)) == .close)
    }

    @Test(arguments: [
        (life: 86_400, warning: 60), (240, 60), (239, 59.75), (120, 30), (40, 10), (4, 1), (1, 0.25),
    ])
    func `the warning comes when a quarter of the life is left, the end half a minute after it`(
        life: Double, warning: Double
    ) {
        let lifetime = TokenLifetime(expiresAt: at(1_000 + life), issuedAt: at(1_000), now: at(1_000))
        #expect(lifetime.warning == .seconds(warning) && lifetime.grace == .seconds(30))
    }

    @Test func `a short-lived token is not warned of from its beginning`() {
        var lifetime = TokenLifetime(expiresAt: at(40), issuedAt: at(0), now: at(0))
        #expect(lifetime.due(now: at(29.9)) == .none)
        #expect(lifetime.due(now: at(30)) == .warn(expiresAt: at(40)))
        #expect(lifetime.due(now: at(69.9)) == .none)
        #expect(lifetime.due(now: at(70)) == .close)
    }

    @Test func `a session that begins late in the lifetime of a token is warned at once, and once`() {
        var lifetime = TokenLifetime(expiresAt: at(900), issuedAt: at(0), now: at(880))
        #expect(lifetime.wait(now: at(880)) <= .zero)
        #expect(lifetime.due(now: at(880)) == .warn(expiresAt: at(900)))
        #expect(lifetime.due(now: at(880)) == .none)
        #expect(lifetime.due(now: at(930)) == .close)
    }

    @Test(arguments: [nil, 40, 9_000])
    func `a lifetime without a valid beginning begins with the session`(issuedAt: Double?) {
        let lifetime = TokenLifetime(expiresAt: at(40), issuedAt: issuedAt.map(at), now: at(20))
        #expect(lifetime.warning == .seconds(5))
        let longest = TokenLifetime(expiresAt: at(253_402_300_799), issuedAt: issuedAt.map(at), now: at(0))
        #expect(longest.warning == .seconds(60))
        let ended = TokenLifetime(expiresAt: at(20), issuedAt: nil, now: at(40))
        #expect(ended.warning == .zero)
    }

    @Test func `the token's own times and sign-in count, and a user without a token has no lifetime`() throws {
        let user = AuthenticatedUser(
            userID: UserID(1), tokenExpiresAt: at(40), tokenIssuedAt: at(0), signInID: SignInID(7))
        let lifetime = try #require(TokenLifetime(user, now: at(39)))
        #expect(lifetime.warning == .seconds(10) && lifetime.signInID == SignInID(7))
        #expect(TokenLifetime(AuthenticatedUser(userID: UserID(1), tokenExpiresAt: nil), now: at(0)) == nil)
    }
}
