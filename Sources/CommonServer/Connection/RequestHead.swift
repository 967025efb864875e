import NIOCore

/// The head of an HTTP/1.1 request whose body, if any, has a known length.
///
/// Read strictly (``RequestHeadGrammar``). What is not exactly as that grammar wants it, or is framed in another way, is
/// not read here at all: an HTTP decoder decides what becomes of it. So this and the decoder cannot disagree on where a
/// request ends.
public struct RequestHead: Sendable {
    let bytes: [UInt8]
    private let parts: RequestHeadGrammar.Parts
    /// Bytes of the body.
    public private(set) var contentLength = 0

    var fields: [RequestHeadGrammar.Field] { parts.fields }

    /// Bytes of the head, with the empty line at its end.
    public var length: Int { bytes.count }

    /// - Parameters:
    ///   - bytes: up to and with the empty line.
    ///   - allowsUpgrade: whether it may ask for another protocol, which takes over behind the head.
    /// - Returns: `nil` for anything else than such a head.
    init?(_ bytes: [UInt8], allowsUpgrade: Bool = false) {
        guard let parts = bytes.withUnsafeBufferPointer({ RequestHeadGrammar(bytes: $0).parts() }) else { return nil }
        self.bytes = bytes
        self.parts = parts
        guard !has("transfer-encoding"), allowsUpgrade || !has("upgrade"), let length = declaredLength else {
            return nil
        }
        contentLength = length
    }

    // MARK: What it says; names of fields are in lower case

    public func isMethod(_ name: String) -> Bool { isText(parts.method, name) }

    func isTarget(_ path: String) -> Bool { isText(parts.target, path) }

    /// Visible ASCII characters.
    public var target: String { text(parts.target) }

    func has(_ name: StaticString) -> Bool { fields.contains { isNamed($0, name) } }

    public func values(_ name: StaticString) -> [String] {
        fields.filter { isNamed($0, name) }.map { text($0.value) }
    }

    /// Whether a field stands there once, with exactly this value.
    func isField(_ name: StaticString, _ value: String) -> Bool {
        var isFound = false
        for field in fields where isNamed(field, name) {
            guard !isFound, isText(field.value, value) else { return false }
            isFound = true
        }
        return isFound
    }

    /// A field's values, joined by commas (RFC 9110 section 5.3); `nil` where it is absent.
    public subscript(name: StaticString) -> String? {
        var joined: String?
        for field in fields where isNamed(field, name) {
            let value = text(field.value)
            joined = joined.map { "\($0),\(value)" } ?? value
        }
        return joined
    }

    private func text(_ range: Range<Int>) -> String {
        bytes.withUnsafeBufferPointer { String(decoding: UnsafeBufferPointer(rebasing: $0[range]), as: UTF8.self) }
    }

    private func isText(_ range: Range<Int>, _ text: String) -> Bool {
        guard range.count == text.utf8.count else { return false }
        var text = text
        return bytes.withUnsafeBufferPointer { bytes in
            text.withUTF8 { UnsafeBufferPointer(rebasing: bytes[range]).isSame(as: $0) }
        }
    }

    private func isNamed(_ field: RequestHeadGrammar.Field, _ name: StaticString) -> Bool {
        guard field.name.count == name.utf8CodeUnitCount else { return false }
        return name.withUTF8Buffer { name in
            for (index, letter) in name.enumerated() {
                // In ASCII letters differ from their upper case in this bit; of the other token characters none becomes
                // another.
                guard bytes[field.name.lowerBound + index] | 0x20 == letter else { return false }
            }
            return true
        }
    }

    /// 0 without the field; `nil` for what is no number of at most nine digits, or for two of them.
    private var declaredLength: Int? {
        var length: Int?
        for field in fields where isNamed(field, "content-length") {
            guard length == nil, (1...9).contains(field.value.count) else { return nil }
            var number = 0
            for index in field.value {
                let digit = bytes[index] &- UInt8(ascii: "0")
                guard digit < 10 else { return nil }
                number = number * 10 + Int(digit)
            }
            length = number
        }
        return length ?? 0
    }
}
