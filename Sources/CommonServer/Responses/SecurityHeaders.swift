import Crypto
import FoundationEssentials
import HTTPTypes

/// What tells a browser to be careful with our answers. `nosniff` goes with every answer, see `RequestMiddleware`.
enum SecurityHeaders {
    /// For a year only TLS, on every port of this host (RFC 6797).
    static let transportSecurity = "max-age=31536000"

    /// Of a page that loads nothing and is shown nowhere but in a window of its own. Its one style sheet, which stands
    /// in it, is known by its hash (Content Security Policy Level 3, section 8.4).
    static func page(style: String) -> HTTPFields {
        let hash = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
        return [
            .contentSecurityPolicy: """
            default-src 'none'; style-src 'sha256-\(hash)'; base-uri 'none'; form-action 'none'; \
            frame-ancestors 'none'
            """,
            .frameOptions: "DENY", .referrerPolicy: "no-referrer",
        ]
    }
}
