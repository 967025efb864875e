/// One field of a request that is not as it must be.
public struct FieldError: Error, Equatable, Sendable {
    private static let maximumNameBytes = 100
    private static let maximumMessageBytes = 400

    /// The field's name as the client wrote it, shortened where it is long; members of objects are joined by dots.
    public let field: String
    public let message: String

    public init(_ field: String, _ message: String) {
        self.field = ErrorText.shortened(field, maximumBytes: Self.maximumNameBytes)
        self.message = ErrorText.shortened(message, maximumBytes: Self.maximumMessageBytes)
    }
}

/// Texts of errors, which may hold what a client sent.
enum ErrorText {
    /// - Returns: the beginning of a text that would take more bytes as a JSON string.
    static func shortened(_ text: String, maximumBytes: Int) -> String {
        // An escape takes up to six times its character.
        guard text.utf8.count * 6 > maximumBytes, jsonBytes(text) > maximumBytes else { return text }
        let ellipsis = "…"
        var room = maximumBytes - ellipsis.utf8.count
        let kept = text.unicodeScalars.prefix { scalar in
            room -= jsonBytes(scalar)
            return room >= 0
        }
        return String(String.UnicodeScalarView(kept)) + ellipsis
    }

    static func jsonBytes(_ text: String) -> Int { text.unicodeScalars.reduce(0) { $0 + jsonBytes($1) } }

    private static func jsonBytes(_ scalar: UnicodeScalar) -> Int {
        switch scalar {
        case "\"", "\\": 2
        case _ where scalar.value < 0x20: 6
        default: UTF8.width(scalar)
        }
    }
}
