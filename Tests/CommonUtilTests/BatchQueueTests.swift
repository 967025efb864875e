import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(1))) struct BatchQueueTests {
    private let queue = BatchQueue<Int>(capacity: 4)

    @Test func `hands out all that waits, up to the limit, in order`() async throws {
        for number in 1...4 { try queue.append(number) }
        #expect(throws: BatchQueue<Int>.Refusal.full) { try queue.append(5) }
        #expect(await queue.next(upTo: 3) == [1, 2, 3])
        #expect(await queue.next(upTo: 3) == [4])
    }

    @Test func `chunks are full but for the last one`() {
        #expect((1...5).chunks(of: 2) == [[1, 2], [3, 4], [5]])
        #expect((1...4).chunks(of: 2) == [[1, 2], [3, 4]])
        #expect([Int]().chunks(of: 2).isEmpty)
    }

    @Test func `a stopped queue empties and takes nothing`() async throws {
        try queue.append(1)
        queue.stop()
        #expect(throws: BatchQueue<Int>.Refusal.stopped) { try queue.append(2) }
        #expect(await queue.next(upTo: 4) == [1])
        #expect(await queue.next(upTo: 4) == nil)
    }
}
