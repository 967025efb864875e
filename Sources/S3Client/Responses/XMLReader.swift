/// An element of an answer.
struct XMLElement: Equatable {
    /// Without a namespace's prefix.
    let name: String
    /// The characters directly within it.
    var text = ""
    var children: [XMLElement] = []

    /// The text of the first child of this name.
    func text(of name: String) -> String? { children.first { $0.name == name }?.text }
}

/// Reads the XML that stores answer with: elements and text, with the five named and the numeric character references.
/// Attributes, comments and processing instructions are passed over; a document type declaration is refused, and with it
/// every entity of its own.
struct XMLReader {
    /// Answers have four levels.
    private static let maximumDepth = 16

    private let bytes: [UInt8]
    private var position = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: the root element; `nil` for what is no well-formed document of this kind.
    static func read(_ bytes: [UInt8]) -> XMLElement? {
        var reader = XMLReader(bytes)
        return reader.document()
    }

    private mutating func document() -> XMLElement? {
        var open: [XMLElement] = []
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "<") else {
                guard let text = text() else { return nil }
                if open.isEmpty {
                    guard text.unicodeScalars.allSatisfy({ $0.properties.isWhitespace || $0 == "\u{FEFF}" }) else {
                        return nil
                    }
                } else {
                    open[open.count - 1].text += text
                }
                continue
            }
            if skips("<?") {
                guard passes("?>") != nil else { return nil }
            } else if skips("<!--") {
                guard passes("-->") != nil else { return nil }
            } else if skips("<![CDATA[") {
                guard !open.isEmpty, let content = passes("]]>"), let text = String(validating: content, as: UTF8.self)
                else { return nil }
                open[open.count - 1].text += text
            } else if skips("</") {
                guard let content = passes(">"), let name = Self.name(content), let element = open.popLast(),
                    element.name == name
                else { return nil }
                if open.isEmpty { return element }
                open[open.count - 1].children.append(element)
            } else if skips("<"), let content = passes(">"), let name = Self.name(content) {
                let element = XMLElement(name: name)
                guard content.last == UInt8(ascii: "/") else {
                    guard open.count < Self.maximumDepth else { return nil }
                    open.append(element)
                    continue
                }
                if open.isEmpty { return element }
                open[open.count - 1].children.append(element)
            } else {
                return nil
            }
        }
        return nil
    }

    // MARK: Pieces

    private mutating func skips(_ mark: StaticString) -> Bool {
        let mark = UnsafeBufferPointer(start: mark.utf8Start, count: mark.utf8CodeUnitCount)
        guard bytes[position...].starts(with: mark) else { return false }
        position += mark.count
        return true
    }

    /// The bytes up to a mark, which is passed as well; `nil` if it does not come.
    private mutating func passes(_ mark: StaticString) -> ArraySlice<UInt8>? {
        let start = position
        while position < bytes.count {
            let end = position
            if skips(mark) { return bytes[start..<end] }
            position += 1
        }
        return nil
    }

    /// The name of a tag, in front of its attributes; `nil` for what cannot be one, as a declaration.
    private static func name(_ content: ArraySlice<UInt8>) -> String? {
        let full = content.prefix { !" \t\r\n/".utf8.contains($0) }
        guard !full.isEmpty, full.allSatisfy({ isNameByte($0) }), let name = String(validating: full, as: UTF8.self)
        else {
            return nil
        }
        return name.lastIndex(of: ":").map { String(name[name.index(after: $0)...]) } ?? name
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }

    // MARK: Text

    private mutating func text() -> String? {
        let end = bytes[position...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
        defer { position = end }
        guard let raw = String(validating: bytes[position..<end], as: UTF8.self) else { return nil }
        guard raw.contains("&") else { return raw }
        var text = ""
        var rest = raw[...]
        while let start = rest.firstIndex(of: "&") {
            guard let end = rest[start...].firstIndex(of: ";"),
                let scalar = Self.scalar(rest[rest.index(after: start)..<end])
            else { return nil }
            text += rest[..<start]
            text.unicodeScalars.append(scalar)
            rest = rest[rest.index(after: end)...]
        }
        return text + rest
    }

    private static func scalar(_ reference: Substring) -> Unicode.Scalar? {
        switch reference {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard reference.hasPrefix("#") else { return nil }
            let digits = reference.dropFirst()
            let value = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return value.flatMap(Unicode.Scalar.init)
        }
    }
}

/// Text in XML that is sent.
enum XMLText {
    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
