import Crypto
import FoundationEssentials
import HTTPTypes

/// What tells a browser to be careful with our answers. `nosniff` goes with every answer, see `RequestMiddleware`.
public enum SecurityHeaders {
    /// For a year only TLS, on every port of this host (RFC 6797).
    static let transportSecurity = "max-age=31536000"

    /// Of a page that loads nothing and is shown nowhere but in a window of its own. Its one style sheet, which stands
    /// in it, is known by its hash (Content Security Policy Level 3, section 8.4).
    static func page(style: String) -> HTTPFields {
        let hash = Data(SHA256.hash(data: Data(style.utf8))).base64EncodedString()
        return page(sources: "style-src 'sha256-\(hash)'")
    }

    /// Of a page that may load what these directives name and nothing else, and be framed by nobody.
    public static func page(sources: String) -> HTTPFields {
        [
            .contentSecurityPolicy:
                "default-src 'none'; \(sources); base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            .frameOptions: "DENY", .referrerPolicy: "no-referrer",
        ]
    }
}
