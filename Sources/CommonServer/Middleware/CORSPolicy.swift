import CommonUtil
import HTTPTypes
import Hummingbird

/// Cross-origin requests (the Fetch standard, section "CORS protocol"). Callers prove themselves with a header, never
/// with a cookie, so credentials are not allowed.
struct CORSPolicy: Sendable {
    let origins: AllowedOrigins

    private static let allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    private static let allowedHeaders = "Authorization, Content-Type, X-Request-Id, X-User-Id, traceparent"
    private static let exposedHeaders = "X-Request-Id, Retry-After"
    private static let maximumAgeSeconds = "600"

    /// - Returns: `nil` for what is no preflight request.
    func preflightResponse(to request: Request) -> Response? {
        guard request.method == .options, let origin = request.headers[.origin],
            request.headers[.accessControlRequestMethod] != nil
        else { return nil }
        var response = Response(status: .noContent)
        response.headers[.contentLength] = nil
        // A browser that gets no permission does not send the request.
        guard origins.allows(origin) else { return response }
        response.headers[.accessControlAllowMethods] = Self.allowedMethods
        response.headers[.accessControlAllowHeaders] = Self.allowedHeaders
        response.headers[.accessControlMaxAge] = Self.maximumAgeSeconds
        return response
    }

    func addFields(to headers: inout HTTPFields, origin: String?) {
        if origins != .any {
            // Caches must keep the answers to different origins apart, also the ones that say no.
            headers.append(HTTPField(name: .vary, value: "Origin"))
        }
        guard let origin, origins.allows(origin) else { return }
        headers[.accessControlAllowOrigin] = origins == .any ? "*" : origin
        headers[.accessControlExposeHeaders] = Self.exposedHeaders
    }
}
