import CommonAuth
import HTTPTypes

extension HTTPField.Name {
    /// Names one request in logs of several programs; echoed or made.
    public static let requestID = HTTPField.Name(constant: "X-Request-Id")
    static let frameOptions = HTTPField.Name(constant: "X-Frame-Options")
    public static let referrerPolicy = HTTPField.Name(constant: "Referrer-Policy")
    /// Where a request came from, as the proxies before us say.
    public static let forwardedFor = HTTPField.Name(constant: "X-Forwarded-For")
}
