import CommonAuth
import CommonUtil
import Crypto
import FoundationEssentials

/// The secret of a webhook, by which its deliveries are signed (Standard Webhooks 1.0.0): `whsec_` and the base64 of 24–64
/// bytes.
enum WebhookSecret {
    private static let prefix = "whsec_"
    private static let length = 24...64
    private static let generatedLength = 32

    /// Makes a secret.
    static func generate() -> [UInt8] { RandomBytes.make(count: generatedLength) }

    /// Reads a secret.
    /// - Returns: its bytes; `nil` for any other text.
    static func bytes(of text: String) -> [UInt8]? {
        guard text.hasPrefix(prefix), let data = Data(base64Encoded: String(text.dropFirst(prefix.count))),
            length.contains(data.count)
        else { return nil }
        return Array(data)
    }

    static func text(of bytes: [UInt8]) -> String { prefix + Data(bytes).base64EncodedString() }

    /// The requirement on a secret, for error messages.
    static let requirement = "must be whsec_ and the base64 of 24–64 bytes"

    /// The headers of a signed request.
    /// - Parameters:
    ///   - id: by which the receiver knows a repeated request.
    ///   - time: of this attempt.
    static func headers(for body: [UInt8], id: String, at time: Timestamp, secrets: [[UInt8]]) -> [(String, String)] {
        [
            ("webhook-id", id), ("webhook-timestamp", "\(time.seconds)"),
            ("webhook-signature", signature(of: body, id: id, seconds: time.seconds, secrets: secrets)),
        ]
    }

    /// The value of `webhook-signature`: one signature for each secret, of the id, the time and the body.
    /// - Parameters:
    ///   - id: the value of `webhook-id`.
    ///   - seconds: the value of `webhook-timestamp`, seconds since 1970.
    static func signature(of body: [UInt8], id: String, seconds: Int64, secrets: [[UInt8]]) -> String {
        let signed = Array("\(id).\(seconds).".utf8) + body
        return secrets.map { secret in
            let code = HMAC<SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: secret))
            return "v1," + Data(code).base64EncodedString()
        }.joined(separator: " ")
    }
}
