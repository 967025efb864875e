import CommonUtil
import HTTPTypes
import NIOCore

/// The head of an HTTP/1.1 or HTTP/1.0 request, with the framing of its body.
///
/// Parsing is strict (``RequestHeadGrammar``, RFC 9112): a head that could be read in two ways is refused, so a proxy in
/// front cannot disagree with this server on where a request ends (request smuggling).
public struct RequestHead: Sendable {
    /// How the body is delimited (RFC 9112 section 6).
    enum Framing: Equatable, Sendable {
        case length(Int)
        case chunked
    }

    /// The head as it was received, the empty line included.
    let bytes: [UInt8]
    private let parts: RequestHeadGrammar.Parts
    /// The path and the query, without scheme and authority of an absolute-form target.
    private var originForm: Range<Int>
    private(set) var framing = Framing.length(0)
    /// Whether this is the connection's last request: HTTP/1.0, or `Connection: close` (RFC 9112 section 9.3).
    private(set) var closes: Bool
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 section 10.1.1).
    private(set) var expectsContinue = false

    var fields: [RequestHeadGrammar.Field] { parts.fields }

    /// Whether the version is HTTP/1.0.
    public var isVersion10: Bool { parts.isVersion10 }

    /// The size of the head in bytes, the empty line included.
    public var length: Int { bytes.count }

    /// The size of the body in bytes; 0 for a chunked one.
    public var contentLength: Int { if case .length(let length) = framing { length } else { 0 } }

    /// Whether the head is all of the request.
    public var hasNoBody: Bool { framing == .length(0) }

    /// Parses a head.
    /// - Parameter bytes: the head up to and with the empty line.
    /// - Throws: the error to respond with. The bytes after such a head cannot be parsed.
    init(_ bytes: [UInt8]) throws(ChatError) {
        let parts = try Self.parts(bytes)
        self.bytes = bytes
        self.parts = parts
        originForm = parts.target
        closes = parts.isVersion10
        try readTarget()
        try readFields()
    }

    private static func parts(_ bytes: [UInt8]) throws(ChatError) -> RequestHeadGrammar.Parts {
        try bytes.withUnsafeBufferPointer { bytes throws(ChatError) in try RequestHeadGrammar(bytes: bytes).parts() }
    }

    // MARK: Contents; names of fields are in lower case

    /// Whether the method is this one.
    public func isMethod(_ name: String) -> Bool { isText(parts.method, name) }

    /// The method, as it was received.
    public var method: String { text(parts.method) }

    /// Whether path and query are this text.
    func isTarget(_ path: String) -> Bool { isText(originForm, path) }

    /// Whether the path, without the query, is this text.
    func isPath(_ path: String) -> Bool { isText(originForm.lowerBound..<pathEnd, path) }

    private var pathEnd: Int { bytes[originForm].firstIndex(of: UInt8(ascii: "?")) ?? originForm.upperBound }

    /// The text behind the `?` of the target, percent-encoded; `nil` if there is none.
    public var query: String? {
        let end = pathEnd
        return end < originForm.upperBound ? text(end + 1..<originForm.upperBound) : nil
    }

    /// The path and the query: visible ASCII characters that begin with `/`, or `*`.
    public var target: String {
        let target = text(originForm)
        return target.isEmpty || target.hasPrefix("?") ? "/" + target : target
    }

    /// Whether there is a field of this name.
    func has(_ name: StaticString) -> Bool { fields.contains { isNamed($0, name) } }

    /// The values of all fields of this name, in order.
    public func values(_ name: StaticString) -> [String] {
        fields.filter { isNamed($0, name) }.map { text($0.value) }
    }

    /// Whether there is exactly one field of this name, with exactly this value.
    func isField(_ name: StaticString, _ value: String) -> Bool {
        var isFound = false
        for field in fields where isNamed(field, name) {
            guard !isFound, isText(field.value, value) else { return false }
            isFound = true
        }
        return isFound
    }

    /// A field's values, joined by commas (RFC 9110 section 5.3); `nil` if it is absent.
    public subscript(name: StaticString) -> String? {
        var joined: String?
        for field in fields where isNamed(field, name) {
            let value = text(field.value)
            joined = joined.map { "\($0),\(value)" } ?? value
        }
        return joined
    }

    /// The text of a range of ``bytes``.
    func text(_ range: Range<Int>) -> String {
        bytes.withUnsafeBufferPointer { String(decoding: UnsafeBufferPointer(rebasing: $0[range]), as: UTF8.self) }
    }

    private func isText(_ range: Range<Int>, _ text: String) -> Bool {
        guard range.count == text.utf8.count else { return false }
        var text = text
        return bytes.withUnsafeBufferPointer { bytes in
            text.withUTF8 { UnsafeBufferPointer(rebasing: bytes[range]).isSame(as: $0) }
        }
    }

    /// Whether a field has this name, in any case.
    func isNamed(_ field: RequestHeadGrammar.Field, _ name: StaticString) -> Bool {
        field.name.count == name.utf8CodeUnitCount && isToken(field.name, name)
    }

    /// Whether a token of the same length is this lower-case text, in any case.
    private func isToken(_ range: Range<Int>, _ text: StaticString) -> Bool {
        text.withUTF8Buffer { text in
            for (index, letter) in text.enumerated() {
                // In ASCII this bit is the case of a letter; it maps no other token character to another.
                guard bytes[range.lowerBound + index] | 0x20 == letter else { return false }
            }
            return true
        }
    }

    // MARK: Target

    private static let malformedTarget = "The request target is not a path, nor an http URL"

    /// RFC 9112 section 3.2: origin-form, absolute-form, and `*` for `OPTIONS`.
    private mutating func readTarget() throws(ChatError) {
        let target = parts.target
        // Before all else: whatever its target, readers of HTTP see no body behind a CONNECT (RFC 9110 section 9.3.6).
        if isMethod("CONNECT") { throw ChatError(.notImplemented, "This server is no proxy") }
        guard bytes[target.lowerBound] != UInt8(ascii: "/") else { return try refuseFragment() }
        if isTarget("*"), isMethod("OPTIONS") { return }
        guard let authority = schemeEnd(target),
            let end = bytes[authority..<target.upperBound].firstIndex(where: { $0 == 0x2F || $0 == 0x3F })
                ?? Optional(target.upperBound),
            authority < end, HostGrammar.isHost(bytes[authority..<end])
        else { throw ChatError(.malformedRequest, Self.malformedTarget) }
        originForm = end..<target.upperBound
        try refuseFragment()
    }

    private func refuseFragment() throws(ChatError) {
        if bytes[originForm].contains(UInt8(ascii: "#")) {
            throw ChatError(.malformedRequest, "The request target must not have a fragment")
        }
    }

    /// - Returns: where the authority of an absolute-form target begins.
    private func schemeEnd(_ target: Range<Int>) -> Int? {
        for scheme: StaticString in ["http", "https"] {
            let end = target.lowerBound + scheme.utf8CodeUnitCount
            guard end + 3 <= target.upperBound, isToken(target.lowerBound..<end, scheme),
                bytes[end] == UInt8(ascii: ":"), bytes[end + 1] == UInt8(ascii: "/"),
                bytes[end + 2] == UInt8(ascii: "/")
            else { continue }
            return end + 3
        }
        return nil
    }

    // MARK: Fields that frame the request

    private mutating func readFields() throws(ChatError) {
        var hosts = 0
        var length: Int?
        var codings: String?
        for field in fields {
            // The length of a name excludes nearly all fields.
            switch field.name.count {
            case 4 where isToken(field.name, "host"):
                hosts += 1
                guard field.value.isEmpty || HostGrammar.isHost(bytes[field.value]) else {
                    throw ChatError(.malformedRequest, "Host is not a name or an address with an optional port")
                }
            case 6 where isToken(field.name, "expect"):
                try readExpectation(field)
            case 10 where isToken(field.name, "connection"):
                closes = closes || TokenList(bytes[field.value]).contains("close")
            case 14 where isToken(field.name, "content-length"):
                guard length == nil, let number = Self.length(bytes[field.value]) else {
                    throw ChatError(.malformedRequest, "Content-Length is not one number")
                }
                length = number
            case 17 where isToken(field.name, "transfer-encoding"):
                let value = text(field.value)
                codings = codings.map { "\($0),\(value)" } ?? value
            default:
                break
            }
        }
        guard hosts == 1 || hosts == 0 && isVersion10 else {
            throw ChatError(.malformedRequest, "Host must be given once")
        }
        if let codings {
            guard length == nil, !isVersion10 else {
                throw ChatError(.malformedRequest, "Transfer-Encoding is not allowed here")
            }
            try readCodings(codings)
        } else {
            framing = .length(length ?? 0)
        }
        if hasNoBody { expectsContinue = false }
    }

    /// Only `chunked` is known. A body whose last coding is another has no end (RFC 9112 section 6.3).
    private mutating func readCodings(_ codings: String) throws(ChatError) {
        let list = TokenList(codings)
        guard list.last("chunked") else {
            throw ChatError(.malformedRequest, "The last Transfer-Encoding must be chunked")
        }
        guard list.count == 1 else {
            let isTwice = list.count(of: "chunked") > 1
            throw isTwice
                ? ChatError(.malformedRequest, "Transfer-Encoding has chunked twice") : ChatError(.notImplemented)
        }
        framing = .chunked
    }

    private mutating func readExpectation(_ field: RequestHeadGrammar.Field) throws(ChatError) {
        // HTTP/1.0 has no `100 Continue`.
        guard !isVersion10 else { return }
        guard field.value.count == 12, isToken(field.value, "100-continue") else {
            throw ChatError(.expectationFailed)
        }
        expectsContinue = true
    }

    /// - Returns: `nil` for anything but a number of at most 18 digits.
    private static func length(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...18).contains(digits.count) else { return nil }
        var number = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number * 10 + Int(digit)
        }
        return number
    }
}

extension HTTPRequest {
    /// Makes the request that routes get, with the target in origin-form (RFC 9112 section 3.2.1).
    init(_ head: RequestHead) {
        var fields = HTTPFields()
        fields.reserveCapacity(head.fields.count)
        for field in head.fields where !head.isNamed(field, "host") {
            guard let name = HTTPField.Name(head.text(field.name)) else { continue }
            fields.append(HTTPField(name: name, value: head.text(field.value)))
        }
        // Never nil: the grammar allows only tokens as methods.
        self.init(
            method: Method(head.method) ?? .get, scheme: "http", authority: head["host"], path: head.target,
            headerFields: fields)
    }
}
