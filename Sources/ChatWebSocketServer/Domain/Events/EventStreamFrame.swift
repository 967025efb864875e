import ChatEvents
import CommonUtil
import Glibc
import NIOCore

/// Encodes server-sent events (HTML standard, section 9.2.6).
enum EventStreamFrame {
    /// The media type of a stream.
    static let contentType = "text/event-stream"

    /// Time after which a client connects again, in milliseconds, unless the server sent another one.
    static let reconnectionTime: Int64 = 3_000

    /// An event of the default type, `message`.
    /// - Parameters:
    ///   - json: the data; JSON text.
    ///   - id: what a client sends back as `Last-Event-ID`; `nil` leaves the client's last one as it is.
    static func message(_ json: some Collection<UInt8>, id: String?) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: json.count + 48)
        if let id {
            buffer.writeStaticString("id: ")
            buffer.writeString(id)
            buffer.writeStaticString("\n")
        }
        buffer.writeDataLines(json)
        buffer.writeStaticString("\n")
        return buffer
    }

    /// The time after which a client connects again once the stream has ended.
    static func retry(milliseconds: Int64) -> ByteBuffer { ByteBuffer(string: "retry: \(milliseconds)\n\n") }

    /// The event `close`: the stream is about to end, and a client that connects again as it is would not get another.
    static func close(_ reason: CloseReason) -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member(EventKey.code, Int64(reason.code.rawValue))
            writer.member(EventKey.reason, reason.reason)
        }
        var buffer = ByteBuffer(staticString: "event: close\n")
        buffer.writeDataLines(writer.bytes)
        buffer.writeStaticString("\n")
        return buffer
    }

    /// A comment, which clients ignore.
    static let comment = ByteBuffer(staticString: ":\n\n")
}

extension ByteBuffer {
    /// Writes the `data` lines of an event.
    ///
    /// JSON of this system has no line break; that of other programs can have some between its tokens. Each line gets a field
    /// of its own, and the client joins them with LF.
    fileprivate mutating func writeDataLines(_ json: some Collection<UInt8>) {
        let (carriageReturn, lineFeed) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        // memchr(3): a stream of a busy room encodes megabytes in a second.
        let isOneLine = json.withContiguousStorageIfAvailable { bytes in
            guard let start = bytes.baseAddress else { return true }
            return memchr(start, CInt(lineFeed), bytes.count) == nil
                && memchr(start, CInt(carriageReturn), bytes.count) == nil
        }
        guard isOneLine != true else {
            writeStaticString("data: ")
            writeBytes(json)
            writeStaticString("\n")
            return
        }
        for line in json.split(
            omittingEmptySubsequences: true, whereSeparator: { $0 == lineFeed || $0 == carriageReturn })
        {
            writeStaticString("data: ")
            writeBytes(line)
            writeStaticString("\n")
        }
    }
}
