import Glibc
import HTTPTypes
import NIOCore
import NIOHTTP1
import Synchronization

/// The value of the `Date` field (RFC 9110 section 6.6.1), formatted once a second.
final class HTTPDate: Sendable {
    private let cached = Mutex((second: time_t(-1), text: ""))

    /// The present time as IMF-fixdate.
    var text: String {
        var now = time(nil)
        return cached.withLock { cached in
            if cached.second != now { cached = (now, Self.format(&now)) }
            return cached.text
        }
    }

    /// Formats a time as IMF-fixdate (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func format(_ time: inout time_t) -> String {
        // strftime(3) uses the names of the C locale, which the process never changes.
        var parts = tm()
        gmtime_r(&time, &parts)
        return String(unsafeUninitializedCapacity: 32) { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                strftime($0.baseAddress, $0.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            }
        }
    }
}

extension ByteBuffer {
    /// Writes the head of a response without the empty line at its end (RFC 9112 section 4).
    mutating func writeResponseHead(_ status: HTTPResponse.Status, _ headers: HTTPFields) {
        writeString("HTTP/1.1 \(status.code) \(HTTPResponseStatus(statusCode: status.code).reasonPhrase)\r\n")
        for field in headers { writeHeaderField(field.name.rawName, field.value) }
    }

    /// Writes one header field with its line end.
    mutating func writeHeaderField(_ name: String, _ value: String) {
        writeString(name)
        writeStaticString(": ")
        writeString(value)
        writeStaticString("\r\n")
    }
}
