import CommonUtil
import NIOCore

/// Finds the head of the next request in the bytes of a connection. Pure, no I/O.
public struct RequestHeadReader: Sendable {
    public enum Finding: Sendable {
        case incomplete
        case head(RequestHead)
        /// No request: what follows cannot be understood either.
        case refused(ChatError)
    }

    /// How many bytes are known not to end the head.
    private var searched = 0

    public init() {}

    /// - Parameter bytes: all that has come since the last request's end. Empty lines in front of the request are taken
    ///   away (RFC 9112 section 2.2).
    public mutating func find(in bytes: inout ByteBuffer) -> Finding {
        if searched <= 1 {
            // Perhaps half an empty line had come before.
            searched = 0
            Self.skipEmptyLines(&bytes)
            // Another protocol, TLS for one, is not waited for.
            if let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self), first != UInt8(ascii: "\r"),
                first != UInt8(ascii: "\n"), !RequestHeadGrammar.isTokenCharacter(first)
            {
                return .refused(ChatError(.malformedRequest))
            }
        }
        switch bytes.withUnsafeReadableBytes(end(in:)) {
        case .found(let length):
            searched = 0
            guard length <= ChatHTTPChannel.maximumHeaderBytes,
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
            return bytes.readableBytes > ChatHTTPChannel.maximumHeaderBytes
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
        /// Behind so many bytes.
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
            // The line before ended right here, too.
            if position >= 3, bytes[position - 2] == lineFeed { return .found(position + 1) }
        }
        return .missing
    }
}
