/// An error that is shown to clients. It must not contain internals: no SQL, no host name, no secret.
///
/// Its size is bounded whatever a client sends: at most ``maximumFieldErrors`` fields and 4 KiB as JSON. CommonServer
/// maps it to a response (RFC 9457).
public struct ChatError: Error, Equatable, Sendable {
    /// Maximum number of ``fieldErrors``.
    public static let maximumFieldErrors = 20
    /// Maximum size of ``detail`` as JSON. The list of fields repeats its text, with the names of the members.
    private static let maximumDetailBytes = 1_200

    /// The kind of error, for programs.
    public let code: ErrorCode
    /// The text for people.
    public let detail: String
    /// The invalid fields, with `validation_failed`.
    public let fieldErrors: [FieldError]
    /// The value of `Retry-After`, in whole seconds.
    public let retryAfterSeconds: Int?

    /// Creates an error.
    /// - Parameters:
    ///   - code: the kind of error.
    ///   - detail: the text for people, shortened where it is long; the code's title by default.
    ///   - retryAfterSeconds: when the request can be sent again.
    public init(_ code: ErrorCode, _ detail: String? = nil, retryAfterSeconds: Int? = nil) {
        self.code = code
        self.detail = ErrorText.shortened(detail ?? code.title, maximumBytes: Self.maximumDetailBytes)
        self.fieldErrors = []
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// Creates a `validation_failed` with the first of the fields, as many as there is room for.
    public init(invalid fieldErrors: [FieldError]) {
        var details: [String] = []
        var room = Self.maximumDetailBytes
        for fieldError in fieldErrors.prefix(Self.maximumFieldErrors) {
            let detail = "\(fieldError.field): \(fieldError.message)"
            room -= ErrorText.jsonBytes(detail) + 2
            guard room >= 0 else { break }
            details.append(detail)
        }
        self.code = .validationFailed
        self.detail = details.joined(separator: "; ") + (details.count < fieldErrors.count ? "; and more" : "")
        self.fieldErrors = Array(fieldErrors.prefix(details.count))
        self.retryAfterSeconds = nil
    }

    /// Creates a `validation_failed` with one field.
    public static func invalid(_ field: String, _ message: String) -> ChatError {
        ChatError(invalid: [FieldError(field, message)])
    }

    /// Creates an `unavailable`: a dependency of the request is away, and the request can be sent again after a second.
    public static func unavailable(_ detail: String) -> ChatError {
        ChatError(.unavailable, detail, retryAfterSeconds: 1)
    }
}

/// An invalid field of a request.
public struct FieldError: Error, Equatable, Sendable {
    private static let maximumNameBytes = 100
    private static let maximumMessageBytes = 400

    /// The field's name as the client wrote it, shortened where it is long; members of objects are joined by dots.
    public let field: String
    /// The requirement that the field does not meet.
    public let message: String

    /// Creates an error with shortened texts.
    public init(_ field: String, _ message: String) {
        self.field = ErrorText.shortened(field, maximumBytes: Self.maximumNameBytes)
        self.message = ErrorText.shortened(message, maximumBytes: Self.maximumMessageBytes)
    }
}

/// Shortens texts of errors, which can contain input of a client.
enum ErrorText {
    /// Shortens a text.
    /// - Parameter maximumBytes: the maximum size as a JSON string.
    static func shortened(_ text: String, maximumBytes: Int) -> String {
        // An escape has up to six bytes for one.
        guard text.utf8.count * 6 > maximumBytes, jsonBytes(text) > maximumBytes else { return text }
        let ellipsis = "…"
        var room = maximumBytes - ellipsis.utf8.count
        let kept = text.unicodeScalars.prefix { scalar in
            room -= jsonBytes(scalar)
            return room >= 0
        }
        return String(String.UnicodeScalarView(kept)) + ellipsis
    }

    /// The size of a text as a JSON string.
    static func jsonBytes(_ text: String) -> Int { text.unicodeScalars.reduce(0) { $0 + jsonBytes($1) } }

    private static func jsonBytes(_ scalar: UnicodeScalar) -> Int {
        switch scalar {
        case "\"", "\\": 2
        case _ where scalar.value < 0x20: 6
        default: UTF8.width(scalar)
        }
    }
}
