/// A JSON value (RFC 8259). Numbers keep their text, so that a long integer or `1.10` is handed on as the server sent
/// it.
public enum JSONValue: Hashable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// The text of a number.
    case number(String)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object.
    case object(JSONObject)

    /// The value of a member; `nil` if this is not an object or has no such member.
    public subscript(key: String) -> JSONValue? { object?[key] }

    /// The string, if it is one.
    public var string: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// The integer, if it is a number that is one.
    public var integer: Int64? {
        guard case .number(let text) = self else { return nil }
        if let value = Int64(text) { return value }
        guard let value = Double(text), value == value.rounded(), value.magnitude < 9_007_199_254_740_992 else {
            return nil
        }
        return Int64(value)
    }

    /// The number, if it is one.
    public var double: Double? {
        if case .number(let text) = self { return Double(text) }
        return nil
    }

    /// The truth value, if it is one.
    public var bool: Bool? {
        if case .bool(let flag) = self { return flag }
        return nil
    }

    /// The elements, if it is an array.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    /// The members, if it is an object.
    public var object: JSONObject? {
        if case .object(let members) = self { return members }
        return nil
    }

    /// The compact JSON text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The compact JSON text, UTF-8.
    var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }

    /// Parses a text.
    /// - Throws: ``ChatError`` with code `protocol` if it is not JSON.
    public init(parsing text: String) throws {
        self = try JSONParser.parse(Array(text.utf8))
    }
}

/// The members of a JSON object in the order of the text, each name once.
public struct JSONObject: Sendable {
    private var names: [String] = []
    private var values: [JSONValue] = []

    /// Creates an object without members.
    public init() {}

    /// Whether there are no members.
    public var isEmpty: Bool { names.isEmpty }
    /// The number of members.
    public var count: Int { names.count }

    /// The members in their order.
    public var members: [(name: String, value: JSONValue)] { zip(names, values).map { ($0, $1) } }

    /// The value of a member. Assigning `nil` removes it.
    public subscript(name: String) -> JSONValue? {
        get { index(of: name).map { values[$0] } }
        set {
            switch (index(of: name), newValue) {
            case (let index?, let value?): values[index] = value
            case (let index?, nil):
                names.remove(at: index)
                values.remove(at: index)
            case (nil, let value?):
                names.append(name)
                values.append(value)
            case (nil, nil): break
            }
        }
    }

    /// Adds a member of which the caller knows that it is not there, which needs no search.
    mutating func append(_ name: String, _ value: JSONValue) {
        names.append(name)
        values.append(value)
    }

    /// Names are compared by their bytes: to JSON, `é` and `e` with a combining accent are two names.
    private func index(of name: String) -> Int? {
        names.firstIndex { $0.utf8.count == name.utf8.count && $0.utf8.elementsEqual(name.utf8) }
    }
}

extension JSONObject: Hashable {
    /// The order of members does not matter.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.count == b.count && a.members.allSatisfy { b[$0.name] == $0.value }
    }

    /// Equal objects have equal counts, whatever their order.
    public func hash(into hasher: inout Hasher) { hasher.combine(count) }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Creates an object. Of a repeated name the last value is used.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        for (name, value) in elements { self[name] = value }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByFloatLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Creates a string.
    public init(stringLiteral text: String) { self = .string(text) }
    /// Creates a number.
    public init(integerLiteral value: Int64) { self = .number(String(value)) }
    /// Creates a truth value.
    public init(booleanLiteral flag: Bool) { self = .bool(flag) }
    /// Creates a number.
    public init(floatLiteral value: Double) { self = .number(String(value)) }
    /// Creates `null`.
    public init(nilLiteral: ()) { self = .null }
    /// Creates an array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Creates an object.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (name, value) in elements { object[name] = value }
        self = .object(object)
    }

    /// Creates a number.
    init(_ value: Int64) { self = .number(String(value)) }
    /// Creates a number.
    init(_ value: Int) { self = .number(String(value)) }
}
