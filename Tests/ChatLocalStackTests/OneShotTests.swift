import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(2))) struct OneShotTests {
    @Test func `a one-shot value wakes all who wait, and those who come later`() async throws {
        let event = OneShot<Int>()
        async let first = event.wait()
        async let second = event.wait(timeout: .seconds(60))
        event.fulfill(7)
        event.fulfill(8)
        #expect(try await first == 7)
        #expect(try await second == 7)
        #expect(try await event.wait() == 7)
        #expect(event.value == 7)
    }

    @Test func `a deadline passes without a value`() async throws {
        #expect(try await OneShot<Int>().wait(timeout: .milliseconds(10)) == nil)
    }

    @Test func `cancelling ends the wait, with a deadline too`() async throws {
        let event = OneShot<Int>()
        for timeout in [nil, Duration.seconds(60)] {
            let waiter = Task {
                if let timeout { return try await event.wait(timeout: timeout) }
                return try await event.wait()
            }
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await waiter.value }
        }
    }
}
