import CommonUtil
import Synchronization
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(1))) struct PageReadLimiterTests {
    /// Reads that last until they are released.
    private final class Reads: Sendable {
        private let state = Mutex((running: 0, most: 0, order: [Int64]()))
        private let released: AsyncStream<Void>
        private let releases: AsyncStream<Void>.Continuation

        init() { (released, releases) = AsyncStream.makeStream() }

        var running: Int { state.withLock { $0.running } }
        var most: Int { state.withLock { $0.most } }
        var order: [Int64] { state.withLock { $0.order } }

        /// Lets one read end.
        func release() { releases.yield() }

        func read(_ user: Int64) async {
            state.withLock {
                $0.running += 1
                $0.most = max($0.most, $0.running)
                $0.order.append(user)
            }
            _ = await released.first { _ in true }
            state.withLock { $0.running -= 1 }
        }
    }

    private func start(
        _ user: Int64, _ limiter: PageReadLimiter, _ reads: Reads
    ) -> Task<Void, any Error> {
        Task { try await limiter.run(for: UserID(user)) { await reads.read(user) } }
    }

    /// Until something holds; the suite's time limit ends it.
    private func eventually(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test func `no more pages are made at a time than allowed, and all are made`() async throws {
        let (limiter, reads) = (PageReadLimiter(maximumReads: 3), Reads())
        let tasks = (0..<20).map { start(Int64($0 + 1), limiter, reads) }
        for rest in (0..<20).reversed() {
            try await eventually { reads.running == min(3, rest + 1) }
            reads.release()
            try await eventually { reads.order.count >= min(20, 20 - rest + 3) }
        }
        for task in tasks { try await task.value }
        #expect(reads.most == 3)
        #expect(Set(reads.order) == Set(1...20))
    }

    @Test func `a user with many requests delays its own first`() async throws {
        let (limiter, reads) = (PageReadLimiter(maximumReads: 1), Reads())
        var tasks = [start(1, limiter, reads)]
        try await eventually { reads.running == 1 }
        for waiting in 1...3 {
            tasks.append(start(1, limiter, reads))
            try await eventually { limiter.waitingCount == waiting }
        }
        tasks.append(start(2, limiter, reads))
        try await eventually { limiter.waitingCount == 4 }
        for done in 1...5 {
            reads.release()
            try await eventually { reads.order.count >= min(5, done + 1) }
        }
        for task in tasks { try await task.value }
        #expect(reads.order == [1, 1, 2, 1, 1])
    }

    @Test func `a caller without room is refused with 503 and Retry-After`() async throws {
        let (limiter, reads) = (PageReadLimiter(maximumReads: 1, maximumWaitersPerUser: 1), Reads())
        let first = start(1, limiter, reads)
        try await eventually { reads.running == 1 }
        let second = start(1, limiter, reads)
        try await eventually { limiter.waitingCount == 1 }
        let error = await #expect(throws: ChatError.self) { try await start(1, limiter, reads).value }
        #expect(error?.code == .unavailable && error?.retryAfterSeconds == 1)
        reads.release()
        reads.release()
        try await first.value
        try await second.value
    }

    @Test func `all calls that a server's key may make at a time get their turn`() async throws {
        let (limiter, reads) = (PageReadLimiter(maximumReads: 1), Reads())
        let tasks = (0..<100).map { _ in
            Task { try await limiter.run(for: .installation) { await reads.read(0) } }
        }
        try await eventually { limiter.waitingCount == 99 }
        for _ in tasks { reads.release() }
        for task in tasks { try await task.value }
        #expect(reads.order.count == 100)
    }

    @Test func `a caller that has waited too long is refused, and the next one gets its turn`() async throws {
        let (limiter, reads) = (PageReadLimiter(maximumReads: 1, longestWait: .milliseconds(50)), Reads())
        let first = start(1, limiter, reads)
        try await eventually { reads.running == 1 }
        let late = start(2, limiter, reads)
        try await eventually { limiter.waitingCount == 1 }
        try await Task.sleep(for: .milliseconds(60))
        reads.release()
        try await first.value
        await #expect(throws: ChatError.self) { try await late.value }
        reads.release()
        try await start(3, limiter, reads).value
        #expect(reads.order == [1, 3])
    }

    @Test func `a read that fails gives its permit back`() async throws {
        let limiter = PageReadLimiter(maximumReads: 1)
        for _ in 0..<3 {
            await #expect(throws: ChatError(.roomNotFound)) {
                try await limiter.run(for: UserID(1)) { throw ChatError(.roomNotFound) }
            }
        }
        #expect(try await limiter.run(for: UserID(1)) { 7 } == 7)
    }
}
