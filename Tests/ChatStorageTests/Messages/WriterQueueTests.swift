import CommonUtil
import Synchronization
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct WriterQueueTests {
    private var queue = WriterQueue(batchSize: 20, capacity: 40)

    /// - Returns: whether one of the appended had to call for a batch.
    @discardableResult
    private mutating func append(_ count: Int) throws -> Bool {
        var isCalled = false
        for _ in 0..<count { isCalled = try queue.append(draft(), { _ in }) || isCalled }
        return isCalled
    }

    @Test mutating func `one batch is called for at a time, and takes what gathered meanwhile`() throws {
        queue.start {}
        #expect(try append(1) == true)
        #expect(try append(4) == false)
        #expect(queue.requestBatch() == false)
        #expect(queue.take().count == 5)
        #expect(queue.take().isEmpty)
    }

    @Test mutating func `before it runs no batch is called for`() throws {
        #expect(try append(3) == false)
        queue.start {}
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 3)
    }

    @Test mutating func `a batch behind another waits until it is worth its cost, and a third for an answer`() throws {
        queue.start {}
        try append(1)
        _ = queue.take()
        #expect(try append(15) == false)
        #expect(try append(1) == true)
        #expect(queue.take().count == 16)
        #expect(try append(20) == false)
        queue.answered(1)
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 20)
    }

    @Test mutating func `what is more than a batch waits for the next`() throws {
        try append(30)
        queue.start {}
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 20)
        queue.answered(20)
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 10)
    }

    @Test mutating func `beyond its bound and after its end it refuses`() throws {
        try append(40)
        #expect(throws: ChatError.self) { try append(1) }
        queue.start {}
        _ = queue.take()
        try append(1)
        queue.stop()
        #expect(throws: ChatError.self) { try append(1) }
    }

    @Test mutating func `the end comes once all that waited is told`() throws {
        let ends = Mutex(0)
        queue.start { ends.withLock { $0 += 1 } }
        try append(3)
        _ = queue.take()
        // Fewer than would go out behind another otherwise.
        try append(2)
        #expect(queue.requestBatch() == false)
        queue.stop()
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 2)
        queue.answered(3)
        queue.told()
        #expect(queue.takeEnd() == nil)
        queue.answered(2)
        #expect(queue.takeEnd() == nil)
        queue.told()
        queue.takeEnd()?()
        queue.takeEnd()?()
        #expect(ends.withLock { $0 } == 1)
    }

    @Test mutating func `what is abandoned is given back, and ends it`() throws {
        queue.start {}
        try append(3)
        #expect(queue.abandon().count == 3)
        #expect(queue.takeEnd() != nil)
        #expect(throws: ChatError.self) { try append(1) }
    }
}
