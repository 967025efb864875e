import Crypto
import Foundation

/// The secret of a webhook, and the check of what it signs (Standard Webhooks 1.0.0).
struct WebhookSignature: Sendable {
    /// As `secret` in the call that makes a webhook.
    let secret: String
    private let key: SymmetricKey

    /// How far the time of a delivery may be from now, in seconds.
    private static let tolerance = 300.0
    private static let prefix = "whsec_"

    /// - Parameter key: 24–64 bytes.
    init(key: SymmetricKey = SymmetricKey(size: .bits256)) {
        self.key = key
        secret = Self.prefix + key.withUnsafeBytes { Data($0) }.base64EncodedString()
    }

    /// Whether a request was signed with the secret, a moment ago.
    /// - Parameters:
    ///   - id: `webhook-id`.
    ///   - timestamp: `webhook-timestamp`, seconds since 1970.
    ///   - signatures: `webhook-signature`, one or several.
    func isGood(id: String, timestamp: String, signatures: String, body: Data, now: Date = Date()) -> Bool {
        guard let time = Double(timestamp), abs(now.timeIntervalSince1970 - time) <= Self.tolerance else {
            return false
        }
        let signed = Data("\(id).\(timestamp).".utf8) + body
        return signatures.split(separator: " ").contains { signature in
            guard signature.hasPrefix("v1,"), let code = Data(base64Encoded: String(signature.dropFirst(3))) else {
                return false
            }
            return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: signed, using: key)
        }
    }
}
