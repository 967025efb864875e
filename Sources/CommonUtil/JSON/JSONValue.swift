import Glibc

/// A JSON text (RFC 8259) in memory. Numbers keep their text, so that what a client sent is what others get:
/// `1.10`, `1e400` and 30-digit integers survive, which no conversion to a binary number would allow.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// The compact form with sorted keys: equal data has equal text, so it can be stored, hashed and compared.
    public var canonicalText: String {
        var writer = JSONWriter()
        writer.value(self)
        return writer.text
    }

    /// Whether any string or key within holds U+0000, which the contract refuses everywhere.
    public var containsNUL: Bool {
        switch self {
        case .null, .bool, .number: false
        case .string(let text): text.containsNUL
        case .array(let elements): elements.contains(where: \.containsNUL)
        case .object(let members): members.contains { $0.key.text.containsNUL || $0.value.containsNUL }
        }
    }

    /// The most digits that any number within has.
    public var longestNumber: Int {
        switch self {
        case .null, .bool, .string: 0
        case .number(let text): text.utf8.count { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        case .array(let elements): elements.map(\.longestNumber).max() ?? 0
        case .object(let members): members.map(\.value.longestNumber).max() ?? 0
        }
    }
}

extension String {
    var containsNUL: Bool {
        var text = self
        return text.withUTF8 { utf8 in utf8.baseAddress.map { memchr($0, 0, utf8.count) != nil } ?? false }
    }
}
