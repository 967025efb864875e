import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct FairQueueTests {
    private func queue(capacity: Int = 10, placesPerKey: Int = 10) -> FairQueue<String, Int> {
        FairQueue(capacity: capacity, placesPerKey: placesPerKey)
    }

    @Test func `keys take turns, and each key's elements come in order`() {
        var queue = queue()
        for (element, key) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "c"), (6, "b")] {
            #expect(queue.append(element, for: key) == nil)
        }
        #expect(queue.count == 6)
        #expect(queue.removeAll() == [1, 4, 5, 2, 6, 3])
        #expect(queue.count == 0)
        #expect(queue.popFirst() == nil)
    }

    @Test func `a key that was empty stands behind those that wait`() {
        var queue = queue()
        for element in 1...3 { _ = queue.append(element, for: "a") }
        #expect(queue.popFirst() == 1)
        #expect(queue.append(9, for: "b") == nil)
        #expect(queue.removeAll() == [2, 9, 3])
    }

    @Test func `a key has no more than its places, others have theirs`() {
        var queue = queue(placesPerKey: 2)
        #expect((1...3).map { queue.append($0, for: "a") } == [nil, nil, 3])
        #expect(queue.append(4, for: "b") == nil)
        #expect(queue.popFirst() == 1)
        #expect(queue.append(5, for: "a") == nil)
        #expect(queue.removeAll() == [4, 2, 5])
    }

    @Test func `in a full queue a newcomer takes a place of the key that has most`() {
        var queue = queue(capacity: 4)
        for element in 1...4 { _ = queue.append(element, for: "a") }
        #expect(queue.append(5, for: "b") == 4)
        #expect(queue.append(6, for: "b") == 3)
        // Neither has more than the other.
        #expect(queue.append(7, for: "a") == 7)
        #expect(queue.append(8, for: "b") == 8)
        #expect(Set([queue.append(9, for: "c"), queue.append(10, for: "d")]) == [2, 6])
        // Each has one.
        #expect(queue.append(11, for: "e") == 11)
        #expect(queue.count == 4)
        #expect(queue.removeAll() == [1, 5, 9, 10])
    }
}
