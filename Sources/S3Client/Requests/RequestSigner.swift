import CommonUtil
import Crypto
import FoundationEssentials

/// Signs requests by AWS Signature Version 4, as S3 has it: the path is encoded once, and the hash of the body is a header
/// field (docs.aws.amazon.com, "Authenticating Requests: Using the Authorization Header").
struct RequestSigner: Sendable {
    let credentials: S3Credentials
    let region: String

    private static let algorithm = "AWS4-HMAC-SHA256"
    private static let service = "s3"

    /// The header fields to send: those given, and those that the signature adds. All are signed.
    /// - Parameters:
    ///   - path: encoded, from the slash on.
    ///   - query: names and values as they are.
    ///   - headers: with `host`, names in lower case.
    ///   - payloadHash: the SHA-256 of the body in hexadecimal digits.
    func headers(
        method: String, path: String, query: [(String, String)], headers: [(String, String)], payloadHash: String,
        at time: Timestamp
    ) -> [(String, String)] {
        // 20130524T000000Z
        let date = String(time.description.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
        var signed = headers + [("x-amz-content-sha256", payloadHash), ("x-amz-date", date)]
        if let token = credentials.sessionToken { signed.append(("x-amz-security-token", token)) }
        signed.sort { $0.0 < $1.0 }
        let names = signed.map(\.0).joined(separator: ";")
        let request = [
            method, path, Self.queryText(query), signed.map { "\($0.0):\($0.1)\n" }.joined(), names, payloadHash,
        ].joined(separator: "\n")
        let scope = "\(date.prefix(8))/\(region)/\(Self.service)/aws4_request"
        let text = [Self.algorithm, date, scope, Hex.sha256(Array(request.utf8))].joined(separator: "\n")
        let signature = Hexadecimal.encode(Self.code(text, key: key(day: date.prefix(8))))
        let authorization =
            "\(Self.algorithm) Credential=\(credentials.accessKey)/\(scope), SignedHeaders=\(names), "
            + "Signature=\(signature)"
        return signed + [("authorization", authorization)]
    }

    /// A query as it stands in the URL, too: encoded, in the order of the encoded names.
    static func queryText(_ query: [(String, String)]) -> String {
        query.map { (URIEncoding.encode($0.0), URIEncoding.encode($0.1)) }.sorted { $0 < $1 }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// The key of a day, a region and a service.
    private func key(day: Substring) -> SymmetricKey {
        let start = SymmetricKey(data: Array("AWS4\(credentials.secretKey)".utf8))
        return [String(day), region, Self.service, "aws4_request"].reduce(start) { key, part in
            SymmetricKey(data: Self.code(part, key: key))
        }
    }

    private static func code(_ text: String, key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }
}

/// The encoding of paths and queries that the signature expects: all but unreserved characters (RFC 3986 section 2.3).
enum URIEncoding {
    /// - Parameter keeping: further characters that stay.
    static func encode(_ text: String, keeping kept: String = "") -> String {
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                encoded.append(byte)
            case let byte where "-._~".utf8.contains(byte) || kept.utf8.contains(byte): encoded.append(byte)
            default: encoded += [UInt8(ascii: "%"), Hex.upper[Int(byte >> 4)], Hex.upper[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}

/// Hexadecimal digits.
enum Hex {
    static let upper = Array("0123456789ABCDEF".utf8)

    static func sha256(_ bytes: [UInt8]) -> String { Hexadecimal.encode(SHA256.hash(data: bytes)) }
}
