import CommonServer
import NIOCore

/// Gathers the bytes of a connection's first request until it is clear what they are. Pure, no I/O.
struct HandshakeReader {
    enum Finding {
        case incomplete
        /// What may be a handshake: `GET`, HTTP/1.1, no body.
        case head(RequestHead)
        /// For an HTTP decoder.
        case other
    }

    /// All that came.
    private(set) var bytes = ByteBuffer()
    private var reader = RequestHeadReader()

    mutating func append(_ chunk: ByteBuffer) -> Finding {
        bytes.writeImmutableBuffer(chunk)
        let view = bytes.readableBytesView
        guard view.starts(with: "GET ".utf8.prefix(view.count)) else { return .other }
        switch reader.find(in: &bytes) {
        case .incomplete: return .incomplete
        case .head(let head): return head.hasNoBody && !head.isVersion10 ? .head(head) : .other
        case .refused: return .other
        }
    }
}
