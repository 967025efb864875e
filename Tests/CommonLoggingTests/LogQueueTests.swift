import Testing

@testable import CommonLogging

@Suite(.timeLimit(.minutes(2))) struct LogQueueTests {
    private func line(_ text: String) -> [UInt8] { Array("\(text)\n".utf8) }

    /// Whether each line was taken in.
    private func append(_ texts: String..., to queue: inout LogQueue) -> [Bool] {
        texts.map { queue.append(line($0)) }
    }

    @Test func `lines are taken together and in order`() {
        var queue = LogQueue(capacity: 100)
        let nothing = queue.take()
        #expect(nothing == nil && queue.isDrained)
        let taken = append("one", "two", to: &queue)
        #expect(taken == [true, true])
        let batch = queue.take()
        #expect(batch == LogQueue.Batch(bytes: line("one") + line("two"), droppedLines: 0))
        #expect(!queue.isDrained)
        queue.finish()
        #expect(queue.isDrained)
    }

    @Test func `a line without room is dropped and counted`() {
        var queue = LogQueue(capacity: 8)
        // The last would fit, and would hide where the gap is.
        let taken = append("one", "too long", "two", to: &queue)
        #expect(taken == [true, false, false])
        let first = queue.take()
        #expect(first == LogQueue.Batch(bytes: line("one"), droppedLines: 2))
        queue.finish()
        let again = append("three", to: &queue)
        let second = queue.take()
        #expect(again == [true] && second == LogQueue.Batch(bytes: line("three"), droppedLines: 0))
    }

    @Test func `lines that are being written count towards the capacity`() {
        var queue = LogQueue(capacity: 8)
        let first = append("one", to: &queue)
        _ = queue.take()
        let meanwhile = append("two", "3", to: &queue)
        #expect(first == [true] && meanwhile == [true, false])
        queue.finish()
        let batch = queue.take()
        #expect(batch == LogQueue.Batch(bytes: line("two"), droppedLines: 1))
    }
}
