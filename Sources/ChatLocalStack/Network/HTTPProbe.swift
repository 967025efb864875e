import Foundation

/// One small HTTP/1.1 GET over a blocking socket: enough for health checks, and light enough for a container's.
public enum HTTPProbe {
    /// The response to a probe.
    public struct Answer: Sendable {
        /// The status code.
        public let status: Int
        /// The whole body.
        public let body: String

        public init(status: Int, body: String) {
            self.status = status
            self.body = body
        }
    }

    /// Asks `host`, a name or an IPv4 address; `timeout` is for connecting and for each read.
    /// - Throws: `LocalStackError` if there is no answer, or one that is no HTTP.
    public static func get(host: String = "127.0.0.1", port: Int, path: String, timeout: Duration) throws -> Answer {
        let socket = try TCPSocket()
        try socket.connect(host: host, port: port, timeout: timeout)
        // HTTP/1.0: the answer is neither chunked nor kept alive, so it ends with the stream (RFC 9112, section 9.3).
        try socket.write("GET \(path) HTTP/1.0\r\nHost: \(host):\(port)\r\nConnection: close\r\n\r\n")
        var received: [UInt8] = []
        while received.count < 1024 * 1024 {
            let chunk = try socket.read()
            if chunk.isEmpty { break }
            received += chunk
        }
        let text = String(decoding: received, as: UTF8.self)
        let statusLine = text.prefix { $0 != "\r\n" && $0 != "\n" }.split(separator: " ")
        guard statusLine.count >= 2, statusLine[0].hasPrefix("HTTP/"), let status = Int(statusLine[1]) else {
            throw LocalStackError("\(host):\(port) does not speak HTTP")
        }
        let body = text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
        return Answer(status: status, body: body)
    }
}
