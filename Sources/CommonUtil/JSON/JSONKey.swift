import Glibc

/// The name of a member of a JSON object. Names are the same if their characters are: Swift's strings also hold `é` and
/// `e` with a combining accent for equal, which to JSON are two names, and an object may have both.
public struct JSONKey: Sendable, ExpressibleByStringLiteral {
    public let text: String

    public init(_ text: String) { self.text = text }
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
    /// By code points, which is the order of the UTF-8 bytes.
    public static func < (a: JSONKey, b: JSONKey) -> Bool {
        let difference = compare(a, b)
        return difference < 0 || difference == 0 && a.text.utf8.count < b.text.utf8.count
    }

    /// As memcmp(3) has it, as far as the shorter one goes.
    private static func compare(_ a: JSONKey, _ b: JSONKey) -> CInt {
        let difference = a.text.utf8.withContiguousStorageIfAvailable { a in
            b.text.utf8.withContiguousStorageIfAvailable { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return CInt(0) }
                return memcmp(first, second, min(a.count, b.count))
            }
        }
        if let difference, let difference { return difference }
        // No string of Swift's own.
        return a.text.utf8.elementsEqual(b.text.utf8) ? 0 : a.text.utf8.lexicographicallyPrecedes(b.text.utf8) ? -1 : 1
    }
}
