/// The members of a JSON object: each name once, in the names' order. The objects that requests consist of have a handful
/// of members, which a short sorted list holds and finds at less cost than a hash table.
public struct JSONObject: Hashable, Sendable {
    public typealias Member = (key: JSONKey, value: JSONValue)

    private struct Entry: Hashable, Sendable {
        let key: JSONKey
        let value: JSONValue
    }

    private var entries: [Entry] = []

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }
    public var count: Int { entries.count }

    public subscript(key: JSONKey) -> JSONValue? {
        let index = entries.partition { $0.key < key }
        return index < entries.count && entries[index].key == key ? entries[index].value : nil
    }

    /// For a reader: takes members in any order, of which ``finish()`` then makes an object.
    struct Builder {
        private var entries: [Entry] = []
        private var isSorted = true

        /// Up to so many members are kept sorted as they come, which for a few is cheaper than to sort them at the end.
        private static let few = 16

        mutating func append(_ key: JSONKey, _ value: JSONValue) {
            var place = entries.count
            if place < Self.few, isSorted {
                while place > 0, !(entries[place - 1].key < key) { place -= 1 }
                // An equal name is for the end to see.
                if place < entries.count, entries[place].key == key { place = entries.count }
            }
            if entries.isEmpty { entries.reserveCapacity(8) }
            if place == entries.count, let last = entries.last, !(last.key < key) { isSorted = false }
            entries.insert(Entry(key: key, value: value), at: place)
        }

        /// - Returns: the object, and whether every name stood there once. Of those that did not the last value counts.
        consuming func finish() -> (object: JSONObject, isUnique: Bool) {
            var object = JSONObject()
            object.entries = entries
            if isSorted { return (object, true) }
            // Stable, so that of equal names the last one stays last.
            object.entries.sort { $0.key < $1.key }
            let repeated = zip(object.entries, object.entries.dropFirst()).contains { $0.key == $1.key }
            guard repeated else { return (object, true) }
            let sorted = object.entries
            object.entries = sorted.indices.filter { next in
                next + 1 == sorted.endIndex || sorted[next].key != sorted[next + 1].key
            }.map { sorted[$0] }
            return (object, false)
        }
    }
}

extension JSONObject: Sequence {
    public func makeIterator() -> some IteratorProtocol<Member> {
        entries.lazy.map { (key: $0.key, value: $0.value) }.makeIterator()
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Of a name that stands there twice the last value counts.
    public init(dictionaryLiteral elements: (JSONKey, JSONValue)...) {
        var builder = Builder()
        for (key, value) in elements { builder.append(key, value) }
        self = builder.finish().object
    }
}

extension Array {
    /// - Returns: where the elements begin that do not come first, in an array in which those that do are in front.
    fileprivate func partition(_ comesFirst: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if comesFirst(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
