import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging

/// The outermost middleware: sets the trace and the id of each request, turns errors into problem responses, logs and
/// measures.
struct RequestMiddleware: RouterMiddleware {
    let envelope: ResponseEnvelope
    let largeResponses = LargeResponses()

    func handle(
        _ request: Request, context: ChatRequestContext,
        next: (Request, ChatRequestContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var context = context
        context.trace = TraceContext(traceparent: request.headers[.traceparent])
        context.requestID = RequestID.accepted(request.headers[.requestID], in: context.trace)
        context.logger = envelope.logger(traceID: context.trace.traceID, requestID: context.requestID)

        var response: Response
        if let preflight = envelope.cors.preflightResponse(to: request) {
            response = preflight
        } else {
            do {
                response = try await next(request, context)
                response.body = try largeResponses.bounded(response.body, on: context.channel)
            } catch {
                response = ErrorResponse.response(to: error, context: context)
            }
        }
        finish(&response, request: request, context: context)
        report(request, response, context: context, duration: ContinuousClock.now - start)
        return response
    }

    private func finish(_ response: inout Response, request: Request, context: ChatRequestContext) {
        envelope.finish(&response.headers, requestID: context.requestID, origin: request.headers[.origin])
        // The rest of a body that is too large is not read; the connection is closed.
        if response.status == .contentTooLarge { response.headers[.connection] = "close" }
        if request.method == .head { response = response.createHeadResponse() }
    }

    private func report(_ request: Request, _ response: Response, context: ChatRequestContext, duration: Duration) {
        envelope.report(
            method: request.method, path: request.head.path ?? "", route: context.endpointPath,
            status: response.status, duration: duration, logger: { context.logger })
    }
}
