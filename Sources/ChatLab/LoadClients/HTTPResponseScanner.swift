import NIOCore

/// One HTTP/1.1 response with its whole body.
struct HTTPResponse: Equatable {
    var status: Int
    var body: ByteBuffer
    /// `Retry-After`, in seconds.
    var retryAfter: Int?
}

/// A parser of HTTP/1.1 responses (RFC 9112) of our own servers: a status line, headers, and a body by `Content-Length` or
/// in chunks. Cheap, since it shares the cores with the servers.
enum HTTPResponseScanner {
    struct Malformed: Error {}

    /// Takes the first whole response out of `buffer`.
    /// - Returns: nil, with `buffer` as it was, if it is not all there yet.
    static func next(in buffer: inout ByteBuffer) throws -> HTTPResponse? {
        var rest = buffer
        guard let statusLine = try line(&rest) else { return nil }
        // HTTP/1.1 201 Created
        guard statusLine.count >= 12, statusLine.starts(with: "HTTP/1.".utf8),
            let status = Int(String(decoding: statusLine.dropFirst(9).prefix(3), as: UTF8.self))
        else { throw Malformed() }

        var length: Int?
        var isChunked = false
        var retryAfter: Int?
        while true {
            guard let header = try line(&rest) else { return nil }
            if header.isEmpty { break }
            if let value = value(of: "content-length:", in: header) {
                guard let number = Int(value), number >= 0 else { throw Malformed() }
                length = number
            } else if let value = value(of: "transfer-encoding:", in: header) {
                isChunked = value.lowercased() == "chunked"
            } else if let value = value(of: "retry-after:", in: header) {
                retryAfter = Int(value)
            }
        }
        let body: ByteBuffer?
        if isChunked {
            body = try chunks(&rest)
        } else if status < 200 || status == 204 || status == 304 {
            body = ByteBuffer()
        } else {
            // Without a length the body would end with the connection, and ours are kept alive.
            guard let length else { throw Malformed() }
            body = rest.readSlice(length: length)
        }
        guard let body else { return nil }
        buffer = rest
        return HTTPResponse(status: status, body: body, retryAfter: retryAfter)
    }

    private static func chunks(_ rest: inout ByteBuffer) throws -> ByteBuffer? {
        var body = ByteBuffer()
        while true {
            guard let size = try line(&rest) else { return nil }
            let digits = size.prefix { $0 != UInt8(ascii: ";") }
            guard let count = Int(String(decoding: digits, as: UTF8.self), radix: 16), count >= 0 else {
                throw Malformed()
            }
            guard count > 0 else { break }
            guard var chunk = rest.readSlice(length: count) else { return nil }
            body.writeBuffer(&chunk)
            guard let end = try line(&rest) else { return nil }
            guard end.isEmpty else { throw Malformed() }
        }
        // Trailer fields, if any, up to an empty line.
        while let trailer = try line(&rest) {
            if trailer.isEmpty { return body }
        }
        return nil
    }

    /// The next line without its CRLF; nil if it is not all there yet.
    private static func line(_ buffer: inout ByteBuffer) throws -> ByteBufferView? {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else {
            guard buffer.readableBytes < 64 * 1024 else { throw Malformed() }
            return nil
        }
        let line = buffer.readableBytesView[..<end]
        buffer.moveReaderIndex(to: end + 1)
        guard line.last == UInt8(ascii: "\r") else { throw Malformed() }
        return line.dropLast()
    }

    private static func value(of name: String, in header: ByteBufferView) -> String? {
        guard header.count >= name.utf8.count, zip(header, name.utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) else {
            return nil
        }
        return String(decoding: header.dropFirst(name.utf8.count), as: UTF8.self).filter { $0 != " " }
    }
}
