/// The name of a member of a JSON object. Names are the same if their characters are: Swift's strings also hold `é` and
/// `e` with a combining accent for equal, which to JSON are two names, and an object may have both.
public struct JSONKey: Sendable, ExpressibleByStringLiteral {
    public let text: String

    public init(_ text: String) { self.text = text }
    public init(stringLiteral text: String) { self.text = text }
}

extension JSONKey: Hashable {
    public static func == (a: JSONKey, b: JSONKey) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension JSONKey: Comparable {
    /// By code points, which is the order of the UTF-8 bytes.
    public static func < (a: JSONKey, b: JSONKey) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}
