/// A bounded queue that serves its keys in turn (round robin), with a bounded number of elements per key. Pure: no I/O.
///
/// If the queue is full, a new element displaces the last element of the key with the most elements, provided that this
/// key then still has at least as many elements as the new one's. A key with many elements delays itself and cannot
/// exclude others.
public struct FairQueue<Key: Hashable, Element> {
    private let capacity: Int
    private let placesPerKey: Int
    private var elements: [Key: [Element]] = [:]
    /// The keys that have elements, in the order in which they are served.
    private var turns: [Key] = []
    /// The number of elements.
    public private(set) var count = 0

    /// - Parameters:
    ///   - capacity: the maximum number of elements.
    ///   - placesPerKey: the maximum number of elements of one key.
    public init(capacity: Int, placesPerKey: Int) {
        self.capacity = capacity
        self.placesPerKey = placesPerKey
    }

    /// Adds an element.
    /// - Returns: the element that was rejected, this one or a displaced one; `nil` if there was room.
    public mutating func append(_ element: Element, for key: Key) -> Element? {
        let own = elements[key]?.count ?? 0
        guard own < placesPerKey else { return element }
        var displaced: Element?
        if count == capacity {
            // The queue is small, so searching the longest row costs little compared to the queued work.
            guard let longest = elements.max(by: { $0.value.count < $1.value.count }), longest.value.count > own + 1
            else { return element }
            displaced = elements[longest.key]?.removeLast()
            count -= 1
        }
        if own == 0 { turns.append(key) }
        elements[key, default: []].append(element)
        count += 1
        return displaced
    }

    /// Removes the next element, and puts its key at the end of the order.
    public mutating func popFirst() -> Element? {
        guard !turns.isEmpty else { return nil }
        let key = turns.removeFirst()
        guard var row = elements.removeValue(forKey: key), !row.isEmpty else { return nil }
        let element = row.removeFirst()
        count -= 1
        if !row.isEmpty {
            elements[key] = row
            turns.append(key)
        }
        return element
    }

    /// Removes all elements.
    public mutating func removeAll() -> [Element] {
        var all: [Element] = []
        while let element = popFirst() { all.append(element) }
        return all
    }
}
