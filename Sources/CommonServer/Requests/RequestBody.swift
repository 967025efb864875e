import CommonUtil
import HTTPTypes
import Hummingbird

extension Request {
    /// Reads the body as a JSON object.
    /// - Throws: `unsupported_media_type` (415), `body_too_large` (413), `malformed_json` or `malformed_request` (400),
    ///   `validation_failed` (422) for text that is not Unicode.
    /// - Parameter maximumBytes: of the body, where a route takes larger ones than others.
    public func fields(
        _ context: ChatRequestContext, maximumBytes: Int? = nil
    ) async throws(ChatError) -> FieldReader {
        try FieldReader(body: try await jsonBody(context, maximumBytes: maximumBytes))
    }

    /// Reads the body as a JSON object; no body is an empty object. Otherwise as ``fields(_:)``.
    public func optionalFields(_ context: ChatRequestContext) async throws(ChatError) -> FieldReader {
        let isAbsent =
            headers[.contentType] == nil && headers[.transferEncoding] == nil
            && (headers[.contentLength] ?? "0") == "0"
        return isAbsent ? FieldReader(JSONObject()) : try await fields(context)
    }

    /// Reads the bytes of a JSON body; they are not parsed.
    /// - Throws: `unsupported_media_type` (415), `body_too_large` (413), `malformed_request` (400).
    func jsonBody(_ context: ChatRequestContext, maximumBytes: Int? = nil) async throws(ChatError) -> [UInt8] {
        guard MediaType.isJSON(headers[.contentType]) else { throw ChatError(.unsupportedMediaType) }
        try requireNoEncoding()
        return try await bodyBytes(maximum: maximumBytes ?? context.maxUploadSize)
    }

    /// - Throws: `unsupported_media_type` (415) for a body that is encoded.
    func requireNoEncoding() throws(ChatError) {
        guard headers[.contentEncoding].map({ $0.lowercased() == "identity" }) ?? true else {
            throw ChatError(.unsupportedMediaType, "The body must not be encoded; Content-Encoding is not supported")
        }
    }

    /// Reads the whole body.
    /// - Throws: `body_too_large` as soon as that is known; `malformed_request` if the client stops sending.
    func bodyBytes(maximum: Int) async throws(ChatError) -> [UInt8] {
        let tooLarge = ChatError(.bodyTooLarge, "The body must not have more than \(maximum) bytes")
        let announced = headers[.contentLength].flatMap { Int($0) } ?? 0
        guard announced <= maximum else { throw tooLarge }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(announced)
        do {
            for try await buffer in body {
                guard bytes.count + buffer.readableBytes <= maximum else { throw tooLarge }
                bytes.append(contentsOf: buffer.readableBytesView)
            }
        } catch let error as ChatError {
            throw error
        } catch {
            throw ChatError(.malformedRequest, "The body did not arrive whole")
        }
        return bytes
    }
}

/// Checks of the `Content-Type` of a request.
enum MediaType {
    private static let json = "application/json"

    /// Whether a value is `application/json`.
    static func isJSON(_ contentType: String?) -> Bool { isEqual(contentType, to: json) }

    /// Whether a value is a media type, in any case, with any parameters (RFC 9110 section 8.3.1).
    /// - Parameter expected: in lower case.
    static func isEqual(_ contentType: String?, to expected: String) -> Bool {
        guard let contentType else { return false }
        guard let type = contentType.split(separator: ";", omittingEmptySubsequences: false).first else {
            return false
        }
        return type.lowercased().split(separator: " ") == [expected[...]]
    }

    /// Whether the body of a request is declared as JSON.
    static func isJSON(_ head: RequestHead) -> Bool {
        // Nearly all clients use exactly this spelling.
        head.isField("content-type", json) || isJSON(head["content-type"])
    }
}
