import CommonServer
import NIOCore

/// Gathers the bytes of a connection's first request until it is clear what they are. Pure, no I/O.
struct HandshakeReader {
    /// Of a head; an HTTP decoder has the answer to a longer one.
    static let maximumBytes = ChatHTTPChannel.maximumHeaderBytes

    enum Finding {
        case incomplete
        /// What may be a handshake: so many of the bytes, at their beginning.
        case head(HandshakeHead, length: Int)
        case other
    }

    /// All that came.
    private(set) var bytes = ByteBuffer()
    /// How many bytes are known not to end the head.
    private var searched = 0

    mutating func append(_ chunk: ByteBuffer) -> Finding {
        bytes.writeImmutableBuffer(chunk)
        let view = bytes.readableBytesView
        guard view.starts(with: "GET ".utf8.prefix(view.count)) else { return .other }
        guard let length = endOfHead(view) else {
            return view.count > Self.maximumBytes ? .other : .incomplete
        }
        guard length <= Self.maximumBytes, let head = HandshakeHead(Array(view.prefix(length))) else { return .other }
        return .head(head, length: length)
    }

    /// - Returns: where the first empty line ends, also that of a sender which ends its lines by LF alone.
    private mutating func endOfHead(_ view: ByteBufferView) -> Int? {
        var lineFeed = view.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n"))
        while let index = lineFeed {
            let next = view[(index + 1)...].prefix(2)
            if next.first == UInt8(ascii: "\n") { return index + 2 - view.startIndex }
            if next.elementsEqual("\r\n".utf8) { return index + 3 - view.startIndex }
            // What follows decides, and may still come.
            if next.isEmpty || next.elementsEqual("\r".utf8) {
                searched = index - view.startIndex
                return nil
            }
            lineFeed = view[(index + 1)...].firstIndex(of: UInt8(ascii: "\n"))
        }
        searched = view.count
        return nil
    }
}
