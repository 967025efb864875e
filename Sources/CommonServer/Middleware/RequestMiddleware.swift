import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging
import NIOHTTP1

/// The outermost middleware: gives each request its trace and its id, turns every error into a problem answer, and
/// leaves a log line and a measurement behind.
struct RequestMiddleware: RouterMiddleware {
    let metrics: RequestMetrics
    let cors: CORSPolicy
    /// Whether this server itself speaks TLS.
    let isEncrypted: Bool
    let logger: Logger

    func handle(
        _ request: Request, context: ChatRequestContext,
        next: (Request, ChatRequestContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var context = context
        context.trace = TraceContext(traceparent: request.headers[.traceparent])
        context.requestID = RequestID.accepted(request.headers[.requestID]) ?? context.trace.spanID
        context.logger = logger
        context.logger[metadataKey: "traceId"] = .string(context.trace.traceID)
        context.logger[metadataKey: "requestId"] = .string(context.requestID)

        var response: Response
        if let preflight = cors.preflightResponse(to: request) {
            response = preflight
        } else {
            do {
                response = try await next(request, context)
            } catch let error as HTTPParserError {
                // What follows on this connection is not HTTP; Hummingbird answers 400 and closes it.
                throw error
            } catch {
                response = ErrorAnswer.response(to: error, context: context)
            }
        }
        finish(&response, request: request, context: context)
        report(request, response, context: context, duration: ContinuousClock.now - start)
        return response
    }

    private func finish(_ response: inout Response, request: Request, context: ChatRequestContext) {
        response.headers[.requestID] = context.requestID
        response.headers[.xContentTypeOptions] = "nosniff"
        if isEncrypted { response.headers[.strictTransportSecurity] = SecurityHeaders.transportSecurity }
        cors.addFields(to: &response, origin: request.headers[.origin])
        // The rest of a body that is too large is not waited for; `RequestBounds` closes the connection.
        if response.status == .contentTooLarge { response.headers[.connection] = "close" }
        if request.method == .head { response = response.createHeadResponse() }
    }

    private func report(_ request: Request, _ response: Response, context: ChatRequestContext, duration: Duration) {
        metrics.record(
            method: request.method, route: context.endpointPath, status: response.status, duration: duration)
        RequestLog(
            method: request.method.rawValue, pathAndQuery: request.head.path ?? "", status: response.status.code,
            duration: duration
        ).write(to: context.logger)
    }
}
