import FoundationEssentials

/// Where a list goes on. Clients send it back unread, so its inside may change from release to release.
public struct Cursor: Equatable, Sendable {
    /// The sort key of the last item sent.
    public let parts: [String]

    public init(_ parts: [String]) { self.parts = parts }

    /// - Throws: `validation_failed` for what ``text`` did not make, or made for a list with other sort keys.
    public init(text: String, partCount: Int) throws(ChatError) {
        let base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        let padded = base64 + String(repeating: "=", count: (4 - base64.count % 4) % 4)
        guard !text.isEmpty, let data = Data(base64Encoded: padded),
            let joined = String(validating: data, as: UTF8.self),
            case let parts = joined.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init),
            parts.count == partCount, !parts.contains(where: { $0.utf8.contains(0) })
        else { throw .invalid("cursor", "is not one that this list gave") }
        self.parts = parts
    }

    /// URL-safe base64 (RFC 4648 section 5) without padding.
    public var text: String {
        Data(parts.joined(separator: String(Self.separator)).utf8).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// The unit separator: no sort key holds it.
    private static let separator: Character = "\u{1F}"
}

/// One page of a list: `{items, nextCursor?}`.
public struct Page<Item: JSONEncodable>: JSONEncodable {
    public let items: [Item]
    public let nextCursor: Cursor?

    public init(items: [Item], nextCursor: Cursor?) {
        self.items = items
        self.nextCursor = nextCursor
    }

    /// - Parameters:
    ///   - fetched: one more than `limit`, if there are as many.
    ///   - cursor: the sort key of an item.
    public init(fetched: [Item], limit: Int, cursor: (Item) -> Cursor) {
        items = Array(fetched.prefix(limit))
        nextCursor = fetched.count > limit ? items.last.map(cursor) : nil
    }

    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("items")
            writer.array(items) { $1.write(to: &$0) }
            writer.member("nextCursor", ifPresent: nextCursor?.text)
        }
    }
}
