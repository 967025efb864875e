/// A position in a list. Opaque to clients, so its content can change between releases.
public struct Cursor: Equatable, Sendable {
    /// The list that issued it. Other lists refuse it.
    public let list: String
    /// The sort key of the last item of the page.
    public let parts: [String]

    /// Creates the cursor behind an item.
    public init(of list: String, _ parts: [String]) {
        self.list = list
        self.parts = parts
    }

    /// Reads a cursor.
    /// - Parameters:
    ///   - text: the value that a client sent.
    ///   - list: the list that has to have issued it.
    ///   - partCount: the number of parts of the list's sort key.
    /// - Throws: `validation_failed` for a text that is not a cursor of this list.
    public init(text: String, of list: String, partCount: Int) throws(ChatError) {
        guard let bytes = Base64URL.decode(text), case let json? = try? JSONParser.parse(bytes), !json.containsNUL,
            case .array(let elements) = json, elements.first == .string(list),
            elements.count == partCount + 1
        else { throw .notFromThisList }
        self.list = list
        parts = try elements.dropFirst().map { element throws(ChatError) in
            guard case .string(let part) = element else { throw .notFromThisList }
            return part
        }
    }

    /// Returns a part that is a time, in microseconds since 1970.
    /// - Throws: `validation_failed` for anything else, and for times that PostgreSQL can refuse.
    public func timestamp(part index: Int) throws(ChatError) -> Timestamp {
        guard let microseconds = Int64(parts[index]), case let time = Timestamp(microseconds: microseconds),
            Timestamp.years1970To9999.contains(time)
        else { throw .notFromThisList }
        return time
    }

    /// The text for clients: a JSON array as URL-safe base64 (RFC 4648 section 5) without padding.
    public var text: String {
        Base64URL.encode(JSONValue.array(([list] + parts).map(JSONValue.string)).canonicalText.utf8)
    }
}

extension ChatError {
    /// The error for a cursor that the list has not issued.
    public static let notFromThisList = ChatError.invalid("cursor", "is not one that this list gave")
}

/// One page of a list: `{items, nextCursor?}`.
public struct Page<Item: JSONEncodable>: JSONEncodable {
    /// The items.
    public let items: [Item]
    /// The cursor of the next page; `nil` on the last one.
    public let nextCursor: Cursor?

    /// Creates a page.
    public init(items: [Item], nextCursor: Cursor?) {
        self.items = items
        self.nextCursor = nextCursor
    }

    /// Creates a page of fetched items.
    /// - Parameters:
    ///   - fetched: up to `limit` + 1 items; the last of them shows that there is another page.
    ///   - cursor: makes the cursor behind an item.
    public init(fetched: [Item], limit: Int, cursor: (Item) -> Cursor) {
        self.init(fetched: fetched, limit: limit, item: { $0 }, cursor: cursor)
    }

    /// Creates a page of fetched values that have more than the items, for example the sort key.
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
