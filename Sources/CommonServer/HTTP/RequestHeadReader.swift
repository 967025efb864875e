import CommonUtil
import NIOCore

/// Finds the head of the next request in the input of a connection. Pure: no I/O.
public struct RequestHeadReader: Sendable {
    /// The result of ``find(in:)``.
    public enum Finding: Sendable {
        /// More input is needed.
        case incomplete
        case head(RequestHead)
        /// The error to respond with. The bytes after it cannot be parsed.
        case refused(ChatError)
    }

    /// The number of bytes in which the end of the head was already searched.
    private var searched = 0

    /// Creates a reader at the start of a connection.
    public init() {}

    /// Searches the next head.
    /// - Parameter bytes: the input since the end of the last request. Empty lines before the request are removed
    ///   (RFC 9112 section 2.2).
    public mutating func find(in bytes: inout ByteBuffer) -> Finding {
        if searched <= 1 {
            // The last input can have been half an empty line.
            searched = 0
            Self.skipEmptyLines(&bytes)
            // Another protocol, for example TLS, is refused at its first byte.
            if let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self), first != UInt8(ascii: "\r"),
                first != UInt8(ascii: "\n"), !RequestHeadGrammar.isTokenCharacter(first)
            {
                return .refused(ChatError(.malformedRequest))
            }
        }
        switch bytes.withUnsafeReadableBytes(end(in:)) {
        case .found(let length):
            searched = 0
            guard length <= RequestBounds.maximumHeadBytes,
                let head = bytes.getBytes(at: bytes.readerIndex, length: length)
            else { return .refused(ChatError(.headerTooLarge)) }
            do {
                return .head(try RequestHead(head))
            } catch {
                return .refused(error)
            }
        case .bareLineFeed:
            return .refused(ChatError(.malformedRequest, "A line of the head does not end with CR LF"))
        case .missing:
            searched = bytes.readableBytes
            return bytes.readableBytes > RequestBounds.maximumHeadBytes
                ? .refused(ChatError(.headerTooLarge)) : .incomplete
        }
    }

    private static func skipEmptyLines(_ bytes: inout ByteBuffer) {
        while bytes.readableBytes >= 2,
            bytes.getInteger(at: bytes.readerIndex, as: UInt16.self) == 0x0D0A
        {
            bytes.moveReaderIndex(forwardBy: 2)
        }
    }

    private enum End {
        /// The length of the head.
        case found(Int)
        case bareLineFeed, missing
    }

    private func end(in bytes: UnsafeRawBufferPointer) -> End {
        let (carriageReturn, lineFeed) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        var position = searched
        while position < bytes.count {
            defer { position += 1 }
            guard bytes[position] == lineFeed else { continue }
            guard position > 0, bytes[position - 1] == carriageReturn else { return .bareLineFeed }
            // The line is empty: this is the end of the head.
            if position >= 3, bytes[position - 2] == lineFeed { return .found(position + 1) }
        }
        return .missing
    }
}
