import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct LockWaitTests {
    private var wait = LockWait<String>(now: 0, milliseconds: 10_000, suspensionTimeout: 3000)

    @Test mutating func `a holder that stays the same for too long is suspended`() {
        for now in stride(from: Int64(0), to: 3000, by: 100) { #expect(wait.next(now: now, holder: "a") == .wait) }
        #expect(wait.next(now: 3000, holder: "a") == .takeOver("a"))
    }

    @Test mutating func `holders that change are waited for until the time is up`() {
        for now in stride(from: Int64(0), to: 10_000, by: 100) {
            #expect(wait.next(now: now, holder: String(now / 2900)) == .wait)
        }
        #expect(wait.next(now: 10_000, holder: "another") == .giveUp)
    }

    @Test mutating func `a process that was suspended itself while it waited goes on waiting`() {
        #expect(wait.next(now: 0, holder: "a") == .wait)
        #expect(wait.next(now: 31_000, holder: "b") == .wait)
        #expect(wait.next(now: 31_002, holder: "b") == .wait)
    }

    @Test mutating func `a holder that slept as long as this process is not suspended`() {
        #expect(wait.next(now: 0, holder: "a") == .wait)
        #expect(wait.next(now: 31_000, holder: "a") == .wait)
        #expect(wait.next(now: 31_002, holder: "a") == .wait)
    }

    @Test mutating func `an unknown holder is waited for`() {
        for now in stride(from: Int64(0), to: 10_000, by: 500) { #expect(wait.next(now: now, holder: nil) == .wait) }
        #expect(wait.next(now: 10_000, holder: nil) == .giveUp)
    }
}
