/// What a client sends over one connection, and how it is answered, whichever way the request goes.
struct HTTPCase: Sendable, CustomStringConvertible {
    static let pathPlaceholder = "{path}"
    /// Sent behind every case. It is answered where the connection goes on, and never where it has to end: a refused
    /// request must not let another one through.
    static let last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    let description: String
    /// One character for each byte.
    let text: String
    let statuses: [Int]
    /// Whether the connection ends with the last of these answers.
    let ends: Bool
    /// Whether `100 Continue` may come first, if the body is not there yet (RFC 9110, section 10.1.1).
    let expectsContinue: Bool

    init(
        _ description: String, _ text: String, _ statuses: Int..., ends: Bool = false, expectsContinue: Bool = false
    ) {
        self.description = description
        self.text = text
        self.statuses = statuses
        self.ends = ends
        self.expectsContinue = expectsContinue
    }

    func bytes(path: String) -> [UInt8] {
        let text = text.replacing(Self.pathPlaceholder, with: path) + Self.last
        return text.unicodeScalars.map { UInt8($0.value) }
    }

    /// All answers that the connection gives until it ends.
    var allStatuses: [Int] { ends ? statuses : statuses + [200] }
}

/// Requests, made of parts that can be replaced.
enum RequestText {
    static let body = #"{"text":"a"}"#
    static let chunkedBody = "c\r\n\(body)\r\n0\r\n\r\n"
    static let post = "POST {path} HTTP/1.1"
    static let get = "GET /last HTTP/1.1\r\nHost: x\r\n\r\n"

    /// A post with a body of a known length.
    static func plain(
        _ fields: String = "", line: String = post, host: String = "Host: x\r\n",
        type: String = "Content-Type: application/json\r\n", length: String? = nil, body: String = body
    ) -> String {
        let length = length ?? "Content-Length: \(body.unicodeScalars.count)\r\n"
        return "\(line)\r\n\(host)X-User-Id: 7\r\n\(type)\(fields)\(length)\r\n\(body)"
    }

    static func chunked(_ body: String = chunkedBody, coding: String = "Transfer-Encoding: chunked\r\n") -> String {
        plain(length: coding, body: body)
    }
}
