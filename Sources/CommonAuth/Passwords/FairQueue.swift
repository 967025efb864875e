/// A queue with bounded places for each key, served in turn: one element of each key that has any. Pure.
///
/// Where it is full, a newcomer takes the place of the last element of the key that has most, if that leaves that key no
/// fewer than the newcomer's. So whoever asks for much waits behind himself, and shuts nobody else out.
struct FairQueue<Key: Hashable, Element> {
    private let capacity: Int
    private let placesPerKey: Int
    private var elements: [Key: [Element]] = [:]
    /// The keys that have elements, in the order in which they are served.
    private var turns: [Key] = []
    private(set) var count = 0

    init(capacity: Int, placesPerKey: Int) {
        self.capacity = capacity
        self.placesPerKey = placesPerKey
    }

    /// - Returns: the element that has no place: this one, or one that gave its place up; `nil` where there is room.
    mutating func append(_ element: Element, for key: Key) -> Element? {
        let own = elements[key]?.count ?? 0
        guard own < placesPerKey else { return element }
        var displaced: Element?
        if count == capacity {
            // As small as the queue is, looking for the longest row costs nothing beside what is queued.
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

    mutating func popFirst() -> Element? {
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

    mutating func removeAll() -> [Element] {
        var all: [Element] = []
        while let element = popFirst() { all.append(element) }
        return all
    }
}
