import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging

/// The answer to an error of a route, or of Hummingbird.
enum ErrorResponse {
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
