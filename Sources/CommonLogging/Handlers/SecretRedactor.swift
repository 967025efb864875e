/// A last defence against secrets in logs. Code must not log secrets in the first place.
public enum SecretRedactor {
    /// The text in place of a secret.
    public static let mask = "***"

    private static let keyWords = [
        "password", "passwd", "secret", "token", "authorization", "cookie", "apikey", "api_key", "api-key",
        "credential",
        "private_key", "privatekey", "signature",
    ]

    /// Whether a metadata value of this name must not be shown.
    public static func isSecret(key: String) -> Bool {
        let key = key.lowercased()
        return keyWords.contains { key.contains($0) }
    }

    /// Describes an unexpected error on one line of at most 500 characters. Masks what often contains secrets: user info in
    /// URLs, `password=…` in connection strings, bearer tokens and JWTs.
    public static func text(of error: any Error) -> String { redacted("\(type(of: error)): \(error)") }

    /// Masks secrets in a text.
    static func redacted(_ text: String) -> String {
        var result = String(text.unicodeScalars.prefix(2_000).map { $0.value < 0x20 ? " " : Character($0) })
        result = result.replacing(/:\/\/[^\s\/@'"]*@/) { _ in "://\(mask)@" }
        result = result.replacing(/(?i)bearer\s+\S+/) { _ in "Bearer \(mask)" }
        result = result.replacing(/eyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]*)?/) { _ in mask }
        result = result.replacing(
            /(?i)(password|passwd|secret|token|authorization|credential)(["']?\s*[=:]\s*)("[^"]*"|'[^']*'|(?:Bearer )?\S+)/
        ) { "\($0.output.1)\($0.output.2)\(mask)" }
        return String(result.prefix(500))
    }
}
