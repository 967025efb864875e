import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird

/// Answers what the router has no route for: 405 where only the method is wrong, else the fallback, else 404.
struct UnknownPath: RouterMiddleware {
    let table: RouteTable
    let fallback: Routes.Handler?
    let readLimit: ReadLimit?

    private static let knownMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

    func handle(
        _ request: Request, context: ChatRequestContext,
        next: (Request, ChatRequestContext) async throws -> Response
    ) async throws -> Response {
        // The router sets the template before it calls a route's middleware.
        guard context.endpointPath == nil else { return try await next(request, context) }
        // The server itself (RFC 9110 section 9.3.7); the connection lets no other method ask so.
        if request.head.path == "*" { return Response(status: .noContent, headers: [.allow: Self.knownMethods]) }
        if let allowed = table.allowedMethods(path: request.uri.path) {
            if request.method == .options { return Response(status: .noContent, headers: [.allow: allowed]) }
            var response = ChatError(.methodNotAllowed, "This path allows \(allowed)")
                .response(traceID: context.trace.traceID)
            response.headers[.allow] = allowed
            return response
        }
        guard let fallback, request.method == .get || request.method == .head else { throw ChatError(.notFound) }
        try await readLimit?.check(request, context)
        return try await fallback(request, context)
    }
}
