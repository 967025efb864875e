import CommonUtil

/// The name that an uploader gives a file: a label for people, never a part of a path.
enum FileName {
    /// Length in Unicode scalars.
    private static let length = 1...255

    /// The requirement on a name, for error messages.
    static let requirement =
        "must have 1–255 characters, none of them a control character, /, \\ or a bidirectional override, and not be . or .."

    /// Whether a text is a name.
    static func isValid(_ name: String) -> Bool {
        length.contains(name.unicodeScalars.count) && name != "." && name != ".."
            && !name.unicodeScalars.contains(where: isForbidden)
    }

    private static func isForbidden(_ scalar: UnicodeScalar) -> Bool {
        switch scalar {
        case "/", "\\": true
        // What makes `exe.gpj` look like `jpg.exe`: embeddings, overrides and isolates (Unicode UAX #9). Marks, which names in
        // Arabic and Hebrew have, change no order of letters.
        case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": true
        // They begin a new line in some programs.
        case "\u{2028}", "\u{2029}": true
        default: scalar.properties.generalCategory == .control
        }
    }

    /// The value of `Content-Disposition` (RFC 6266), with the name as RFC 8187 has it.
    /// - Parameter isInline: whether a browser may show the file where it is.
    static func disposition(_ name: String, isInline: Bool) -> String {
        var encoded = ""
        for byte in name.utf8 {
            if isAttributeCharacter(byte) {
                encoded.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return "\(isInline ? "inline" : "attachment"); filename*=UTF-8''\(encoded)"
    }

    /// `attr-char` of RFC 8187.
    private static func isAttributeCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$&+-.^_`|~".utf8.contains(byte)
        }
    }
}
