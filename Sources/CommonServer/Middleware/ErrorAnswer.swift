import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging

/// The answer to an error. Only `ChatError` was made to be shown; of all others the client learns nothing but the kind.
enum ErrorAnswer {
    static func response(to error: any Error, context: ChatRequestContext) -> Response {
        let traceID = context.trace.traceID
        if let error = error as? ChatError { return error.response(traceID: traceID) }
        if let error = error as? HTTPError { return response(to: error, traceID: traceID) }
        if error is CancellationError {
            return ChatError.unavailable("The service is stopping").response(traceID: traceID)
        }
        context.logger.error("A request failed unexpectedly", metadata: ["error": "\(SecretMask.text(of: error))"])
        return ChatError(.internalError).response(traceID: traceID)
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
