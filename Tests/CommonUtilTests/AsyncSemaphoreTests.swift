import CommonUtil
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct AsyncSemaphoreTests {
    @Test func `as many tasks run at once as the limit allows, the others in order of arrival`() async {
        let semaphore = AsyncSemaphore(limit: 2)
        let begun = Mutex<[Int]>([])
        let gates = (0..<4).map { _ in StartGate() }
        let (starts, started) = AsyncStream<Void>.makeStream()
        let task: @Sendable (Int) async -> Void = { number in
            await semaphore.run {
                begun.withLock { $0.append(number) }
                started.yield()
                await gates[number].wait()
            }
        }
        await withTaskGroup(of: Void.self) { group in
            var start = starts.makeAsyncIterator()
            for number in 0..<4 {
                group.addTask { await task(number) }
                if number < 2 { await start.next() }
                // The third one waits before the fourth comes.
                if number == 2 { for _ in 0..<100 { await Task.yield() } }
            }
            for _ in 0..<100 { await Task.yield() }
            #expect(begun.withLock { $0 } == [0, 1])
            gates[1].open()
            await start.next()
            gates[0].open()
            await start.next()
            for gate in gates { gate.open() }
        }
        #expect(begun.withLock { $0.sorted() } == [0, 1, 2, 3])
    }

    @Test func `a place is free again after an error`() async {
        struct Failure: Error {}
        let semaphore = AsyncSemaphore(limit: 1)
        for _ in 0..<3 {
            await #expect(throws: Failure.self) { try await semaphore.run { throw Failure() } }
        }
        #expect(await semaphore.run { 7 } == 7)
    }
}

@Suite(.timeLimit(.minutes(1))) struct StartGateTests {
    @Test func `a task waits until the gate is opened, or it is cancelled`() async {
        let isThrough = Mutex(false)
        let gate = StartGate()
        let waiting = Task {
            await gate.wait()
            isThrough.withLock { $0 = true }
        }
        for _ in 0..<100 { await Task.yield() }
        #expect(!isThrough.withLock { $0 })
        gate.open()
        gate.open()
        await waiting.value
        let cancelled = Task { await StartGate().wait() }
        cancelled.cancel()
        await cancelled.value
    }
}
