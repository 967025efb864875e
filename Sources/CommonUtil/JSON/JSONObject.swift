import Glibc

/// The members of a JSON object, each name once, sorted by name. A sorted array, since the objects of requests have few
/// members, for which it is faster than a hash table.
public struct JSONObject: Hashable, Sendable {
    /// A name and its value.
    public typealias Member = (key: JSONKey, value: JSONValue)

    private struct Entry: Hashable, Sendable {
        let key: JSONKey
        let value: JSONValue
    }

    private var entries: [Entry] = []

    /// Creates an object without members.
    public init() {}

    /// Whether there are no members.
    public var isEmpty: Bool { entries.isEmpty }
    /// The number of members.
    public var count: Int { entries.count }

    /// The value of a member; `nil` if there is none.
    public subscript(key: JSONKey) -> JSONValue? {
        let index = entries.partition { $0.key < key }
        return index < entries.count && entries[index].key == key ? entries[index].value : nil
    }

    /// The object with these members added or replaced.
    public func merging(_ members: [Member]) -> JSONObject {
        var builder = Builder()
        for entry in entries { builder.append(entry.key, entry.value) }
        for (key, value) in members { builder.append(key, value) }
        return builder.finish().object
    }

    /// Collects members in any order, for a parser.
    struct Builder {
        private var entries: [Entry] = []
        private var isSorted = true

        /// Maximum number of members that are inserted in order, which is faster than sorting for few of them.
        private static let few = 16

        /// Adds a member.
        mutating func append(_ key: JSONKey, _ value: JSONValue) {
            var place = entries.count
            if place < Self.few, isSorted {
                while place > 0, !(entries[place - 1].key < key) { place -= 1 }
                // Repeated names are handled by finish().
                if place < entries.count, entries[place].key == key { place = entries.count }
            }
            if entries.isEmpty { entries.reserveCapacity(8) }
            if place == entries.count, let last = entries.last, !(last.key < key) { isSorted = false }
            entries.insert(Entry(key: key, value: value), at: place)
        }

        /// Makes the object.
        /// - Returns: the object, and whether each name was there once. Of a repeated name the last value is used.
        consuming func finish() -> (object: JSONObject, isUnique: Bool) {
            var object = JSONObject()
            object.entries = entries
            if isSorted { return (object, true) }
            // The sort is stable, so of equal names the last one stays last.
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
    /// Creates an object. Of a repeated name the last value is used.
    public init(dictionaryLiteral elements: (JSONKey, JSONValue)...) {
        var builder = Builder()
        for (key, value) in elements { builder.append(key, value) }
        self = builder.finish().object
    }
}

extension Array {
    /// The index of the first element that does not satisfy the predicate, in an array in which the elements that do are in
    /// front (binary search).
    fileprivate func partition(_ comesFirst: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if comesFirst(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// The name of a member of a JSON object, compared by code points. Swift's strings are compared by canonical equivalence:
/// `é` and `e` with a combining accent are equal, but in JSON they are two names, and an object can have both.
public struct JSONKey: Sendable, ExpressibleByStringLiteral {
    /// The name.
    public let text: String

    /// Creates a name.
    public init(_ text: String) { self.text = text }
    /// Creates a name from a literal.
    public init(stringLiteral text: String) { self.text = text }
}

extension JSONKey: Hashable {
    public static func == (a: JSONKey, b: JSONKey) -> Bool {
        a.text.utf8.count == b.text.utf8.count && compare(a, b) == 0
    }

    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension JSONKey: Comparable {
    /// Orders by code points, which is the order of the UTF-8 bytes.
    public static func < (a: JSONKey, b: JSONKey) -> Bool {
        let difference = compare(a, b)
        return difference < 0 || difference == 0 && a.text.utf8.count < b.text.utf8.count
    }

    /// memcmp(3) of the common length.
    private static func compare(_ a: JSONKey, _ b: JSONKey) -> CInt {
        let difference = a.text.utf8.withContiguousStorageIfAvailable { a in
            b.text.utf8.withContiguousStorageIfAvailable { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return CInt(0) }
                return memcmp(first, second, min(a.count, b.count))
            }
        }
        if let difference, let difference { return difference }
        // A bridged string has no contiguous UTF-8.
        return a.text.utf8.elementsEqual(b.text.utf8) ? 0 : a.text.utf8.lexicographicallyPrecedes(b.text.utf8) ? -1 : 1
    }
}
