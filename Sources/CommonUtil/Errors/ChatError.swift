import HTTPTypes
import Hummingbird
import NIOCore

/// An error that a client is meant to see. It never holds internals: no SQL, no host name, no secret.
///
/// However much a client sent, it names at most ``maximumFieldErrors`` fields, and its texts have at most 4 KiB as JSON.
public struct ChatError: Error, Equatable, Sendable {
    public static let maximumFieldErrors = 20
    /// Of `detail` as JSON. The list of fields says the same once more, with the members' names around it.
    private static let maximumDetailBytes = 1_200

    public let code: ErrorCode
    public let detail: String
    /// Present with `validation_failed`.
    public let fieldErrors: [FieldError]
    /// Sent as `Retry-After`, in whole seconds.
    public let retryAfterSeconds: Int?

    public init(_ code: ErrorCode, _ detail: String? = nil, retryAfterSeconds: Int? = nil) {
        self.code = code
        self.detail = ErrorText.shortened(detail ?? code.title, maximumBytes: Self.maximumDetailBytes)
        self.fieldErrors = []
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// Names the first of the fields, as many as there is room for.
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

    public static func invalid(_ field: String, _ message: String) -> ChatError {
        ChatError(invalid: [FieldError(field, message)])
    }

    /// Something that this request needs is away; the request may be sent again.
    public static func unavailable(_ detail: String) -> ChatError {
        ChatError(.unavailable, detail, retryAfterSeconds: 1)
    }
}

extension ChatError {
    /// The `application/problem+json` answer (RFC 9457); the trace id ties it to the log lines of this request.
    public func response(traceID: String) -> Response {
        Response(
            status: code.status, headers: problemHeaders, body: .init(byteBuffer: problemBody(traceID: traceID)))
    }

    /// The fields of that answer, for where there is no `Response`.
    public var problemHeaders: HTTPFields {
        var headers: HTTPFields = [
            .contentType: "application/problem+json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
        if code.status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return headers
    }

    /// Its body.
    public func problemBody(traceID: String) -> ByteBuffer {
        ByteBuffer(bytes: Problem(error: self, traceID: traceID).jsonBytes)
    }
}

/// The body of an error answer.
private struct Problem: JSONEncodable {
    let error: ChatError
    let traceID: String

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "urn:chat:error:\(error.code.rawValue)")
            writer.member("title", error.code.title)
            writer.member("status", Int64(error.code.status.code))
            writer.member("detail", error.detail)
            writer.member("code", error.code.rawValue)
            writer.member("traceId", traceID)
            guard !error.fieldErrors.isEmpty else { return }
            writer.key("errors")
            writer.array(error.fieldErrors) { writer, fieldError in
                writer.object { writer in
                    writer.member("field", fieldError.field)
                    writer.member("message", fieldError.message)
                }
            }
        }
    }
}
