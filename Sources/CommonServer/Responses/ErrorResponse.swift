import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Maps the errors of routes, and of Hummingbird, to responses.
enum ErrorResponse {
    /// - Returns: the problem response of the error. An error that is no `ChatError` is logged and shown as
    ///   `internal_error`.
    static func response(to error: any Error, context: ChatRequestContext) -> Response {
        let traceID = context.trace.traceID
        if let error = error as? HTTPError { return response(to: error, traceID: traceID) }
        return BufferedResponse(error: error, traceID: traceID, logger: { context.logger }).response
    }

    private static func response(to error: HTTPError, traceID: String) -> Response {
        let code: ErrorCode? =
            switch error.status {
            case .badRequest: .malformedRequest
            case .unauthorized: .missingToken
            case .forbidden: .forbidden
            case .notFound: .notFound
            case .methodNotAllowed: .methodNotAllowed
            case .contentTooLarge: .bodyTooLarge
            case .unsupportedMediaType: .unsupportedMediaType
            case .tooManyRequests: .rateLimited
            case .serviceUnavailable: .unavailable
            case let status where status.kind == .serverError: .internalError
            default: nil
            }
        guard let code else { return Response(status: error.status, headers: error.headers) }
        return ChatError(code).response(traceID: traceID)
    }
}

// MARK: Problem responses (RFC 9457)

extension ChatError {
    /// Makes the `application/problem+json` response (RFC 9457).
    /// - Parameter traceID: the trace of the request, which ties the response to its log lines.
    public func response(traceID: String) -> Response { BufferedResponse(self, traceID: traceID).response }

    /// The header fields of the response, without `Content-Length`.
    var problemHeaders: HTTPFields {
        var headers: HTTPFields = [
            .contentType: "application/problem+json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        if let retryAfterSeconds { headers[.retryAfter] = String(retryAfterSeconds) }
        if code.status == .unauthorized { headers[.wwwAuthenticate] = "Bearer" }
        return headers
    }

    /// The body of the response.
    func problemBody(traceID: String) -> ByteBuffer {
        ByteBuffer(bytes: Problem(error: self, traceID: traceID).jsonBytes)
    }
}

/// The problem details object (RFC 9457 section 3) with the members that the contract adds.
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

extension ErrorCode {
    /// The HTTP status of a response with this code.
    public var status: HTTPResponse.Status {
        switch self {
        case .malformedRequest, .malformedJSON: .badRequest
        case .missingToken, .invalidToken, .invalidCredentials, .invalidRefreshToken: .unauthorized
        case .forbidden, .scope, .userDisabled, .guest, .guestsOff, .registrationClosed, .notAMember, .notAddable,
            .originNotAllowed, .badSignature, .urlExpired:
            .forbidden
        case .notFound, .roomNotFound, .userNotFound, .memberNotFound, .messageNotFound, .keyNotFound,
            .sessionNotFound, .webhookNotFound, .filesOff, .fileNotFound, .fileGone:
            .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .usernameTaken, .roomExists, .roomArchived, .directRoom, .roomFull, .tooManyRooms, .alreadyMember,
            .leftRoom, .ownerRole, .messageDeleted, .clientMessageIdReused, .logMismatch, .keyNameTaken, .tooManyKeys,
            .roomTypeFixed, .cursorUnknown, .tooManyWebhooks, .fileInUse, .idempotencyKeyReused, .uploadInProgress:
            .conflict
        case .requestTimeout: .requestTimeout
        case .rangeNotSatisfiable: .rangeNotSatisfiable
        case .bodyTooLarge, .fileTooLarge, .fileQuota: .contentTooLarge
        case .headerTooLarge: .requestHeaderFieldsTooLarge
        case .expectationFailed: .expectationFailed
        case .unsupportedMediaType: .unsupportedMediaType
        case .validationFailed, .webhookAddress: .unprocessableContent
        case .upgradeRequired: .upgradeRequired
        case .rateLimited: .tooManyRequests
        case .notImplemented: .notImplemented
        case .httpVersionNotSupported: .httpVersionNotSupported
        case .unavailable, .issuerUnavailable, .storeForeign: .serviceUnavailable
        case .internalError: .internalServerError
        }
    }
}
