import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird

/// Responds to requests without a route: 405 where only the method is wrong, else the fallback, else 404.
struct UnknownPath: RouterMiddleware {
    let table: RouteTable
    let fallback: Routes.Handler?
    let readLimit: ReadLimit?

    private static let knownMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

    func handle(
        _ request: Request, context: ChatRequestContext,
        next: (Request, ChatRequestContext) async throws -> Response
    ) async throws -> Response {
        // The router sets the template before it runs the middleware of a route.
        guard context.endpointPath == nil else { return try await next(request, context) }
        // `OPTIONS *` is about the server itself (RFC 9110 section 9.3.7); RequestHead refuses other methods.
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

/// The methods of each path template. Used only where the router has found nothing, so a scan is fast enough.
struct RouteTable: Sendable {
    private struct Template: Sendable {
        let parts: [Substring]
        var methods: [String]

        func matches(_ path: [Substring]) -> Bool {
            parts.count == path.count && zip(parts, path).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
    }

    private let templates: [Template]

    init(_ routes: [Routes.Route]) {
        var templates: [String: Template] = [:]
        for route in routes {
            let parts = route.path.split(separator: "/")
            templates[route.path, default: Template(parts: parts, methods: [])].methods.append(route.method.rawValue)
        }
        // As in the router, a fixed segment is preferred to a parameter: `/rooms/public` is not a room.
        self.templates = templates.values.sorted { a, b in
            a.parts.map { $0.hasPrefix("{") ? 1 : 0 }.lexicographicallyPrecedes(
                b.parts.map { $0.hasPrefix("{") ? 1 : 0 })
        }
    }

    /// Finds the methods of a path.
    /// - Returns: the value of `Allow` (RFC 9110 section 10.2.1); `nil` for an unknown path.
    func allowedMethods(path: String) -> String? {
        let path = path.split(separator: "/")
        guard let template = templates.first(where: { $0.matches(path) }) else { return nil }
        let isRead = template.methods.contains("GET") && !template.methods.contains("HEAD")
        return (template.methods + (isRead ? ["HEAD"] : []) + ["OPTIONS"]).sorted().joined(separator: ", ")
    }
}
