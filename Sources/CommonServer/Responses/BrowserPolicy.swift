import CommonAuth
import CommonUtil
import Crypto
import FoundationEssentials
import HTTPTypes
import Hummingbird

/// The CORS policy of a server (Fetch standard, section "CORS protocol"). Callers authenticate with a header, never with
/// a cookie, so credentials are not allowed.
struct CORSPolicy: Sendable {
    let origins: AllowedOrigins

    private static let allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    private static let allowedHeaders =
        "Authorization, Content-Type, Idempotency-Key, If-None-Match, If-Range, Last-Event-ID, Range, X-Request-Id, "
        + "X-User-Id, traceparent"
    private static let exposedHeaders = "X-Request-Id, Retry-After, Content-Range, Accept-Ranges, ETag"
    private static let maximumAgeSeconds = "600"

    /// Makes the response to a preflight request.
    /// - Returns: `nil` for any other request.
    func preflightResponse(to request: Request) -> Response? {
        guard request.method == .options, let origin = request.headers[.origin],
            request.headers[.accessControlRequestMethod] != nil
        else { return nil }
        var response = Response(status: .noContent)
        response.headers[.contentLength] = nil
        // Without the fields of a permission the browser does not send the request.
        guard origins.allows(origin) else { return response }
        response.headers[.accessControlAllowMethods] = Self.allowedMethods
        response.headers[.accessControlAllowHeaders] = Self.allowedHeaders
        response.headers[.accessControlMaxAge] = Self.maximumAgeSeconds
        return response
    }

    /// Adds the fields that let a page of `origin` read a response. A response that is for pages of any origin has its field.
    func addFields(to headers: inout HTTPFields, origin: String?) {
        guard headers[.accessControlAllowOrigin] == nil else { return }
        if origins != .any {
            // Caches must keep the responses to different origins apart, refusals included.
            headers.append(HTTPField(name: .vary, value: "Origin"))
        }
        guard let origin, origins.allows(origin) else { return }
        headers[.accessControlAllowOrigin] = origins == .any ? "*" : origin
        headers[.accessControlExposeHeaders] = Self.exposedHeaders
    }
}

/// Header fields that restrict what browsers do with responses. `nosniff` is in every response, see
/// ``ResponseEnvelope``.
public enum SecurityHeaders {
    /// `Strict-Transport-Security`: for a year only TLS, on every port of this host (RFC 6797).
    static let transportSecurity = "max-age=31536000"

    /// The fields of a page that loads nothing and may not be framed.
    /// - Parameter style: the inline style sheet, which the policy allows by its hash (Content Security Policy Level 3,
    ///   section 8.4).
    static func page(style: String) -> HTTPFields {
        let hash = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
        return page(sources: "style-src 'sha256-\(hash)'")
    }

    /// The fields of a page that may load only what the given directives name, and may not be framed.
    /// - Parameter sources: directives of a content security policy, joined by `; `.
    public static func page(sources: String) -> HTTPFields {
        [
            .contentSecurityPolicy:
                "default-src 'none'; \(sources); base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            .frameOptions: "DENY", .referrerPolicy: "no-referrer",
        ]
    }
}

extension HTTPField.Name {
    /// `X-Frame-Options`.
    static let frameOptions = HTTPField.Name(constant: "X-Frame-Options")
    /// `Referrer-Policy`.
    static let referrerPolicy = HTTPField.Name(constant: "Referrer-Policy")
}
