import Crypto
import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

/// A file that is served as it is, with its response headers.
struct StaticFile: Sendable {
    let path: String
    let contentType: String
    let body: ByteBuffer
    /// A strong validator (RFC 9110 section 8.8.3), made of the content alone, so that all instances have the same.
    let entityTag: String

    /// - Parameter path: where it is served; its extension determines the media type.
    init(path: String, bytes: [UInt8]) {
        self.path = path
        contentType = Self.contentType(of: path)
        body = ByteBuffer(bytes: bytes)
        entityTag = "\"\(Data(SHA256.hash(data: bytes).prefix(18)).base64EncodedString())\""
    }

    /// The response to a request: 200, or 304 where the client has this content.
    /// - Parameter headers: header fields of both.
    func response(to request: Request, headers: HTTPFields) -> Response {
        var headers = headers
        headers[.eTag] = entityTag
        // Revalidated at each load, mostly with 304, so that a new release is used from the next reload on.
        headers[.cacheControl] = "no-cache"
        guard !isKnown(to: request.headers[.ifNoneMatch]) else {
            var response = Response(status: .notModified, headers: headers)
            response.headers[.contentLength] = nil
            return response
        }
        headers[.contentType] = contentType
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
    }

    /// Whether `If-None-Match` names this content (RFC 9110 section 13.1.2).
    func isKnown(to ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        // None of these tags contains a comma.
        return ifNoneMatch.split(separator: ",").contains { element in
            let tag = element.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            return tag == "*" || (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag) == entityTag
        }
    }

    private static func contentType(of path: String) -> String {
        // Browsers do not run `.d.ts`, and editors want it as text.
        switch path.split(separator: ".").last {
        case "css": "text/css; charset=utf-8"
        case "js": "text/javascript; charset=utf-8"
        case "json": "application/json"
        case "svg": "image/svg+xml"
        case "ts": "text/plain; charset=utf-8"
        default: "text/html; charset=utf-8"
        }
    }
}
