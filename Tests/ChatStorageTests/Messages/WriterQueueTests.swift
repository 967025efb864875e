import CommonUtil
import Synchronization
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct WriterQueueTests {
    private var queue = WriterQueue(batchSize: 20, capacity: 40)

    /// - Returns: whether one of the appended had to request a batch.
    @discardableResult
    private mutating func append(_ count: Int) throws -> Bool {
        var isRequested = false
        for _ in 0..<count { isRequested = try queue.append(draft(), { _ in }) || isRequested }
        return isRequested
    }

    @Test mutating func `one batch is requested at a time, and takes what gathered meanwhile`() throws {
        queue.start {}
        #expect(try append(1) == true)
        #expect(try append(4) == false)
        #expect(queue.requestBatch() == false)
        #expect(queue.take().count == 5)
        #expect(queue.take().isEmpty)
    }

    @Test mutating func `before it runs no batch is requested`() throws {
        #expect(try append(3) == false)
        queue.start {}
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 3)
    }

    @Test mutating func `a second batch waits until it is large enough, and a third until one has ended`() throws {
        queue.start {}
        try append(1)
        _ = queue.take()
        #expect(try append(15) == false)
        #expect(try append(1) == true)
        #expect(queue.take().count == 16)
        #expect(try append(20) == false)
        queue.ended(1)
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 20)
    }

    @Test mutating func `what is more than a batch waits for the next`() throws {
        try append(30)
        queue.start {}
        #expect(queue.requestBatch() == true)
        #expect(queue.take().count == 20)
        queue.ended(20)
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

    @Test mutating func `the end comes once all that waited are answered`() throws {
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
        queue.ended(3)
        queue.completed()
        #expect(queue.takeEnd() == nil)
        queue.ended(2)
        #expect(queue.takeEnd() == nil)
        queue.completed()
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
