import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct StoreLockTests {
    let store = MemoryChatStore()

    private func lock(_ holder: String) -> StoreLock { StoreLock(store: store, key: "lock", holder: holder) }

    private func give(_ lease: Lease) async throws {
        try await store.step { $0.set("lock", JSONValue.object(lease.json).bytes) }
    }

    @Test func `one has the lock at a time`() async throws {
        let inside = NIOLockedValueBox(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<10 {
                group.addTask {
                    try await lock("\(number)").withLock {
                        let count = inside.increment()
                        #expect(count == 1)
                        for _ in 0..<100 { await Task.yield() }
                        inside.withLockedValue { $0 -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(store.contents.isEmpty)
    }

    @Test func `a lock is free after an error and after a cancellation`() async throws {
        struct Broken: Error {}
        await #expect(throws: Broken.self) { try await lock("one").withLock { throw Broken() } }
        #expect(store.contents.isEmpty)
        let entered = LatestValue(false)
        let task = Task {
            try await lock("two").withLock {
                entered.set(true)
                try await Task.sleep(for: .seconds(3600))
            }
        }
        for await isEntered in LatestValues(source: entered) where isEntered { break }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(store.contents.isEmpty)
    }

    @Test func `who waits and is cancelled leaves the lock to its holder`() async throws {
        try await lock("one").withLock {
            let task = Task { try await lock("two").withLock { Issue.record("two had it, too") } }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            let holder = try await store.step { Lease(json: try $0.value("lock").map { try JSONParser.parse($0) }) }
            #expect(holder?.instance == "one")
        }
    }

    @Test func `a holder that does not move or is gone loses the lock`() async throws {
        var still = Lease.mine(instance: "still")
        still.seenAt -= Lease.lifetimeMilliseconds
        try await give(still)
        try await lock("one").withLock {}
        // No process has such a number.
        let gone = Lease(process: .max, start: 1, instance: "gone", seenAt: System.wallClock)
        try await give(gone)
        try await lock("one").withLock {}
        #expect(store.contents.isEmpty)
    }
}
