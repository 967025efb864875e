import FoundationEssentials

/// Where a list goes on. Clients send it back unread, so its inside may change from release to release.
public struct Cursor: Equatable, Sendable {
    /// Which list gave it: another one does not take it.
    public let list: String
    /// The sort key of the last item sent.
    public let parts: [String]

    public init(of list: String, _ parts: [String]) {
        self.list = list
        self.parts = parts
    }

    /// - Throws: `validation_failed` for what ``text`` did not make, or made for another list.
    public init(text: String, of list: String, partCount: Int) throws(ChatError) {
        let base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        let padded = base64 + String(repeating: "=", count: (4 - base64.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), case let json? = try? JSONParser.parse(Array(data)),
            !json.containsNUL, case .array(let elements) = json, elements.first == .string(list),
            elements.count == partCount + 1
        else { throw .notFromThisList }
        self.list = list
        parts = try elements.dropFirst().map { element throws(ChatError) in
            guard case .string(let part) = element else { throw .notFromThisList }
            return part
        }
    }

    /// A part that is a time, as whole microseconds since 1970.
    /// - Throws: `validation_failed` for what is none, and for years that no list of ours has and PostgreSQL may refuse.
    public func timestamp(part index: Int) throws(ChatError) -> Timestamp {
        guard let microseconds = Int64(parts[index]), case let time = Timestamp(microseconds: microseconds),
            Timestamp.years1970To9999.contains(time)
        else { throw .notFromThisList }
        return time
    }

    /// URL-safe base64 (RFC 4648 section 5) without padding, of a JSON array: a name may hold any character.
    public var text: String {
        Data(JSONValue.array(([list] + parts).map(JSONValue.string)).canonicalText.utf8).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

extension ChatError {
    /// What a list says to a cursor that it did not give.
    public static let notFromThisList = ChatError.invalid("cursor", "is not one that this list gave")
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
        self.init(fetched: fetched, limit: limit, item: { $0 }, cursor: cursor)
    }

    /// Where what is fetched holds more than what is shown, such as the sort key.
    public init<Fetched>(fetched: [Fetched], limit: Int, item: (Fetched) -> Item, cursor: (Fetched) -> Cursor) {
        let shown = fetched.prefix(limit)
        items = shown.map(item)
        nextCursor = fetched.count > limit ? shown.last.map(cursor) : nil
    }

    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("items")
            writer.array(items) { $1.write(to: &$0) }
            writer.member("nextCursor", ifPresent: nextCursor?.text)
        }
    }
}
