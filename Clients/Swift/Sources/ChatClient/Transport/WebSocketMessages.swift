import NIOCore
import NIOWebSocket

/// A violation of RFC 6455 by the server.
struct WebSocketViolation: Error, Equatable {
    let code: UInt16
    let reason: String

    init(_ code: UInt16, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// Joins a server's frames to messages, and makes the checks that NIO's decoder leaves to its user. Pure: no I/O.
struct WebSocketMessages {
    enum Message: Equatable {
        case text(String)
        case ping(ByteBuffer)
        case pong
        /// A fragment that does not complete its message.
        case fragment
        case close(code: UInt16?, reason: String)
    }

    /// The largest message that is accepted, in bytes.
    static let maximumSize = 16 << 20

    private var fragments: ByteBuffer?

    mutating func decode(_ frame: WebSocketFrame) throws(WebSocketViolation) -> Message {
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            throw WebSocketViolation(1002, "reserved bits are set")
        }
        guard frame.maskKey == nil else { throw WebSocketViolation(1002, "a server does not mask") }
        switch frame.opcode {
        case .connectionClose: return try close(frame.data)
        case .ping: return .ping(frame.data)
        case .pong: return .pong
        case .text where fragments == nil, .continuation where fragments != nil:
            return try join(frame.data, isFinal: frame.fin)
        case .binary: throw WebSocketViolation(1003, "binary messages are not accepted")
        default: throw WebSocketViolation(1002, "the opcode is unknown or not in its place")
        }
    }

    private mutating func join(_ payload: ByteBuffer, isFinal: Bool) throws(WebSocketViolation) -> Message {
        var whole = payload
        if var begun = fragments {
            // One owner, so that the bytes are not copied for each fragment.
            fragments = nil
            guard payload.readableBytes <= Self.maximumSize - begun.readableBytes else {
                throw WebSocketViolation(1009, "messages may have \(Self.maximumSize) bytes")
            }
            begun.writeImmutableBuffer(payload)
            whole = begun
        }
        guard isFinal else {
            fragments = whole
            return .fragment
        }
        guard UTF8Check.isValid(whole.readableBytesView) else {
            throw WebSocketViolation(1007, "text must be UTF-8")
        }
        return .text(String(buffer: whole))
    }

    private func close(_ payload: ByteBuffer) throws(WebSocketViolation) -> Message {
        var payload = payload
        guard payload.readableBytes > 0 else { return .close(code: nil, reason: "") }
        guard let code = payload.readInteger(as: UInt16.self), Self.isValid(code) else {
            throw WebSocketViolation(1002, "invalid close code")
        }
        guard UTF8Check.isValid(payload.readableBytesView) else {
            throw WebSocketViolation(1007, "the close reason must be UTF-8")
        }
        return .close(code: code, reason: String(buffer: payload))
    }

    private static func isValid(_ code: UInt16) -> Bool {
        (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
    }
}
