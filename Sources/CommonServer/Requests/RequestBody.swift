import CommonUtil
import HTTPTypes
import Hummingbird

extension Request {
    /// Reads the JSON object that is this request's body.
    /// - Throws: `unsupported_media_type` (415), `body_too_large` (413), `malformed_json` or `malformed_request` (400),
    ///   `validation_failed` (422) for text that is no Unicode.
    public func fields(_ context: ChatRequestContext) async throws(ChatError) -> FieldReader {
        try FieldReader(body: try await jsonBody(context))
    }

    /// - Throws: `unsupported_media_type` (415), `body_too_large` (413), `malformed_request` (400).
    func jsonBody(_ context: ChatRequestContext) async throws(ChatError) -> [UInt8] {
        guard MediaType.isJSON(headers[.contentType]) else { throw ChatError(.unsupportedMediaType) }
        guard headers[.contentEncoding].map({ $0.lowercased() == "identity" }) ?? true else {
            throw ChatError(.unsupportedMediaType, "The body must not be encoded; Content-Encoding is not supported")
        }
        return try await bodyBytes(maximum: context.maxUploadSize)
    }

    /// - Throws: `body_too_large`, as soon as that is known; `malformed_request` where the client stops sending.
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
