import CommonUtil
import Testing

@testable import CommonAuth

@Suite(.timeLimit(.minutes(2))) struct RevocationTests {
    private let now = Timestamp(microseconds: 1_800_000_000_000_000)
    private let ann = UserID(7)
    private let bob = UserID(8)

    private func later(_ seconds: Int64) -> Timestamp {
        Timestamp(microseconds: now.microseconds + seconds * 1_000_000)
    }

    private func caller(_ userID: UserID, signIn: Int64?, issued: Timestamp? = nil) -> AuthenticatedUser {
        AuthenticatedUser(
            userID: userID, tokenExpiresAt: later(900), tokenIssuedAt: issued, signInID: signIn.map { SignInID($0) })
    }

    private func end(_ signIn: Int64, until seconds: Int64 = 900) -> Revocation {
        Revocation(userID: ann, scope: .signIn(SignInID(signIn)), expiresAt: later(seconds))
    }

    private func insert(
        _ revocation: Revocation, into revocations: inout Revocations, at time: Timestamp? = nil, isNews: Bool = true,
        _ location: SourceLocation = #_sourceLocation
    ) {
        let wasNews = revocations.insert(revocation, now: time ?? now)
        #expect(wasNews == isNews, sourceLocation: location)
    }

    @Test func `the end of a sign-in is about its tokens alone, whenever they were issued`() {
        var revocations = Revocations()
        #expect(!revocations.include(caller(ann, signIn: 1)))
        insert(end(1), into: &revocations)
        #expect(revocations.include(caller(ann, signIn: 1)))
        #expect(revocations.include(caller(ann, signIn: 1, issued: later(5))))
        #expect(!revocations.include(caller(ann, signIn: 2)))
        #expect(!revocations.include(caller(ann, signIn: nil, issued: now)))
    }

    @Test func `tokens that name no sign-in are revoked by the time of their issue`() {
        var revocations = Revocations()
        let all = Revocation(userID: ann, scope: .unnamed(issuedUpTo: now), expiresAt: later(86_400))
        insert(all, into: &revocations)
        #expect(revocations.include(caller(ann, signIn: nil, issued: now)))
        #expect(!revocations.include(caller(ann, signIn: nil, issued: later(1))))
        #expect(revocations.include(caller(ann, signIn: nil)), "one that does not say when")
        #expect(!revocations.include(caller(ann, signIn: 1, issued: now)), "one that names its sign-in")
        #expect(!revocations.include(caller(bob, signIn: nil, issued: now)))
        let again = Revocation(userID: ann, scope: .unnamed(issuedUpTo: later(2)), expiresAt: later(86_402))
        insert(again, into: &revocations, at: later(2))
        #expect(revocations.include(caller(ann, signIn: nil, issued: later(1))))
        insert(all, into: &revocations, at: later(2), isNews: false)
        #expect(revocations.count == 1)
    }

    @Test func `who was believed without a token has none that could be revoked`() {
        var revocations = Revocations()
        let all = Revocation(userID: ann, scope: .unnamed(issuedUpTo: now), expiresAt: later(60))
        insert(all, into: &revocations)
        #expect(!revocations.include(AuthenticatedUser(userID: ann, tokenExpiresAt: nil)))
    }

    @Test func `what comes again is no news, and what has expired is none either`() {
        var revocations = Revocations()
        insert(end(1), into: &revocations)
        insert(end(1), into: &revocations, isNews: false)
        insert(end(2, until: 0), into: &revocations, isNews: false)
        #expect(revocations.count == 1)
    }

    @Test func `a revocation is kept until the last token that it is about has ended, and no longer`() {
        var revocations = Revocations()
        insert(end(1, until: 900), into: &revocations)
        insert(end(1, until: 930), into: &revocations, isNews: false)
        insert(end(2, until: 10), into: &revocations)
        revocations.removeExpired(now: later(929))
        #expect(revocations.count == 1)
        #expect(revocations.include(caller(ann, signIn: 1)))
        revocations.removeExpired(now: later(930))
        #expect(revocations.count == 0)
        #expect(!revocations.include(caller(ann, signIn: 1)))
    }

    @Test func `the list of a process tells what is news and how many there are`() {
        let list = RevocationList(now: { now })
        #expect(list.count == 0 && !list.includes(caller(ann, signIn: 1)))
        #expect(list.insert([end(1), end(2), end(1)]) == [end(1), end(2)])
        #expect(list.insert([end(2), end(3)]) == [end(3)])
        #expect(list.count == 3 && list.includes(caller(ann, signIn: 1)))
    }
}
