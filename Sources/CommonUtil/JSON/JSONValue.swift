import Glibc

/// A JSON value (RFC 8259). Numbers keep their text, so that others get exactly what a client sent: `1.10`, `1e400` and
/// integers of 30 digits would not survive a conversion to a binary number.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The text of a number.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// The compact form with sorted keys. Equal values have equal texts, which can be stored, hashed and compared.
    public var canonicalText: String {
        var writer = JSONWriter()
        writer.value(self)
        return writer.text
    }

    /// Whether any string or key in the value has U+0000, which the contract refuses everywhere.
    public var containsNUL: Bool {
        switch self {
        case .null, .bool, .number: false
        case .string(let text): text.containsNUL
        case .array(let elements): elements.contains(where: \.containsNUL)
        case .object(let members): members.contains { $0.key.text.containsNUL || $0.value.containsNUL }
        }
    }

    /// The largest number of digits of any number in the value.
    public var longestNumber: Int {
        switch self {
        case .null, .bool, .string: 0
        case .number(let text): text.utf8.count(where: \.isASCIIDigit)
        case .array(let elements): elements.map(\.longestNumber).max() ?? 0
        case .object(let members): members.map(\.value.longestNumber).max() ?? 0
        }
    }
}

extension String {
    /// Whether the text has U+0000.
    var containsNUL: Bool {
        var text = self
        return text.withUTF8 { utf8 in utf8.baseAddress.map { memchr($0, 0, utf8.count) != nil } ?? false }
    }
}

/// Reads JSON numbers that are integers, in any spelling: in JSON `1`, `1.0` and `1e0` are the same number, and some
/// programs write every number with a fraction.
enum WholeNumber {
    /// Reads a number exactly, without a conversion to `Double`.
    /// - Returns: `nil` for a number with a fractional part, or beyond 64 bits.
    static func value(ofNumber text: String) -> Int64? {
        if let value = Int64(text) { return value }
        let parts = text.split(maxSplits: 1) { $0 == "e" || $0 == "E" }
        guard let mantissa = parts.first, let exponent = parts.count == 2 ? Int(parts[1]) : 0 else { return nil }
        let halves = mantissa.split(separator: ".", maxSplits: 1)
        let fraction = halves.count == 2 ? halves[1] : ""
        var digits = String((halves.first ?? "") + fraction)
        guard digits.utf8.contains(where: { (0x31...0x39).contains($0) }) else { return 0 }
        let (zeros, overflow) = exponent.subtractingReportingOverflow(fraction.utf8.count)
        guard !overflow, zeros < 19 else { return nil }
        guard zeros < 0 else { return Int64(digits + String(repeating: "0", count: zeros)) }
        guard zeros > -digits.utf8.count, digits.suffix(-zeros).allSatisfy({ $0 == "0" }) else { return nil }
        digits.removeLast(-zeros)
        return Int64(digits)
    }
}
