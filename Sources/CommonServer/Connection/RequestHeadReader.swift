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
        let view = bytes.readableBytesView
        var position = view.startIndex + searched
        while let lineFeed = view[position...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = view[view.startIndex..<lineFeed]
            guard line.last == UInt8(ascii: "\r") else { return .other }
            position = lineFeed + 1
            let isEmptyLine = line.count == 1 || line.dropLast().last == UInt8(ascii: "\n")
            guard isEmptyLine else { continue }
            searched = 0
            let length = position - view.startIndex
            guard length <= ChatHTTPChannel.maximumHeaderBytes,
                let head = RequestHead(Array(view.prefix(length)), allowsUpgrade: allowsUpgrade)
            else { return .other }
            return .head(head)
        }
        searched = view.count
        return view.count > ChatHTTPChannel.maximumHeaderBytes ? .other : .incomplete
    }
}
