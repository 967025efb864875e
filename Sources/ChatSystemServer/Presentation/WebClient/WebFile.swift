import Crypto
import FoundationEssentials
import NIOCore

/// A file of the web client, as it is served.
struct WebFile: Sendable {
    /// Where everything but the page itself is.
    static let folder = "/web/"

    let path: String
    let contentType: String
    let body: ByteBuffer
    /// A strong validator (RFC 9110 section 8.8.3), made of the content alone: all instances give the same.
    let entityTag: String

    init(path: String, bytes: [UInt8]) {
        self.path = path
        contentType = Self.contentType(of: path)
        body = ByteBuffer(bytes: bytes)
        entityTag = "\"\(Data(SHA256.hash(data: bytes).prefix(18)).base64EncodedString())\""
    }

    /// Whether `If-None-Match` names this content (RFC 9110 section 13.1.2). No tag of ours holds a comma.
    func isKnown(to ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        return ifNoneMatch.split(separator: ",").contains { element in
            let tag = element.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            return tag == "*" || (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == entityTag
        }
    }

    private static func contentType(of path: String) -> String {
        switch path.split(separator: ".").last {
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        default: "text/html; charset=utf-8"
        }
    }
}
