import NIOCore

/// Finds the head of the next request in the bytes of a connection. Pure, no I/O.
public struct RequestHeadReader: Sendable {
    public enum Finding: Sendable {
        case incomplete
        case head(RequestHead)
        /// What an HTTP decoder must look at.
        case other
    }

    private let allowsUpgrade: Bool
    /// How many bytes are known not to end the head.
    private var searched = 0

    /// - Parameter allowsUpgrade: whether a request may ask for another protocol.
    public init(allowsUpgrade: Bool = false) { self.allowsUpgrade = allowsUpgrade }

    /// - Parameter bytes: all that has come since the last request's end.
    public mutating func find(in bytes: ByteBuffer) -> Finding {
        switch bytes.withUnsafeReadableBytes(end(in:)) {
        case .found(let length):
            searched = 0
            guard length <= ChatHTTPChannel.maximumHeaderBytes,
                let head = bytes.getBytes(at: bytes.readerIndex, length: length),
                let head = RequestHead(head, allowsUpgrade: allowsUpgrade)
            else { return .other }
            return .head(head)
        case .bareLineFeed:
            return .other
        case .missing:
            searched = bytes.readableBytes
            return bytes.readableBytes > ChatHTTPChannel.maximumHeaderBytes ? .other : .incomplete
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
            let isEmptyLine = position == 1 || bytes[position - 2] == lineFeed
            if isEmptyLine { return .found(position + 1) }
        }
        return .missing
    }
}
