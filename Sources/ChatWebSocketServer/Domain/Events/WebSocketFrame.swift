import NIOCore

/// Encodes frames from server to client: never masked, never fragmented (RFC 6455 section 5.2).
enum WebSocketFrame {
    /// RFC 6455 section 11.8.
    enum Opcode: UInt8 {
        case continuation = 0x0
        case text = 0x1
        case binary = 0x2
        case close = 0x8
        case ping = 0x9
        case pong = 0xA

        var isControl: Bool { rawValue >= 0x8 }
    }

    /// A text frame.
    static func text(_ payload: ByteBuffer) -> ByteBuffer { frame(.text, payload.readableBytesView) }

    /// A text frame.
    static func text(_ payload: [UInt8]) -> ByteBuffer { frame(.text, payload) }

    /// A binary frame.
    static func binary(_ payload: ByteBuffer) -> ByteBuffer { frame(.binary, payload.readableBytesView) }

    /// A ping without payload.
    static func ping() -> ByteBuffer { frame(.ping, []) }

    /// The answer to a ping, with its payload.
    static func pong(_ payload: ByteBuffer) -> ByteBuffer { frame(.pong, payload.readableBytesView) }

    /// A close frame of this server.
    /// - Parameter reason: cut to 123 bytes of UTF-8, which is what a control frame holds.
    static func close(_ code: CloseCode, reason: String) -> ByteBuffer {
        var payload = withUnsafeBytes(of: code.rawValue.bigEndian) { Array($0) }
        for character in reason {
            guard payload.count + character.utf8.count <= maximumControlPayload else { break }
            payload.append(contentsOf: character.utf8)
        }
        return frame(.close, payload)
    }

    /// The answer to a peer's close frame (RFC 6455 section 5.5.1).
    /// - Parameter code: the peer's code, if any.
    static func close(echoing code: UInt16?) -> ByteBuffer {
        frame(.close, code.map { code in withUnsafeBytes(of: code.bigEndian) { Array($0) } } ?? [])
    }

    /// Largest payload of a control frame, in bytes (RFC 6455 section 5.5).
    static let maximumControlPayload = 125

    private static func frame(_ opcode: Opcode, _ payload: some Collection<UInt8>) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: payload.count + 10)
        buffer.writeInteger(0x80 | opcode.rawValue)
        switch payload.count {
        case ...125:
            buffer.writeInteger(UInt8(payload.count))
        case ...Int(UInt16.max):
            buffer.writeInteger(126 as UInt8)
            buffer.writeInteger(UInt16(payload.count))
        default:
            buffer.writeInteger(127 as UInt8)
            buffer.writeInteger(UInt64(payload.count))
        }
        buffer.writeBytes(payload)
        return buffer
    }
}

/// The close codes of the contract (RFC 6455 section 7.4; 4000 to 4999 are for applications).
enum CloseCode: UInt16, Sendable, CaseIterable {
    case normal = 1000
    case goingAway = 1001
    case protocolError = 1002
    case unsupportedData = 1003
    case invalidData = 1007
    /// Never sent: counts connections that ended without a close frame (RFC 6455 section 7.4.1).
    case abnormal = 1006
    case policyViolation = 1008
    case messageTooBig = 1009
    case restart = 1012
    case tryAgainLater = 1013
    case unauthorized = 4401
    case notAMember = 4403
    case noSuchRoom = 4404
    case tokenExpired = 4408
    case aheadOfLog = 4409
    case tooMany = 4429

    /// Whether the same client can get another session by reconnecting: the cause is the server, or it is temporary.
    var isTransient: Bool { [.goingAway, .restart, .tryAgainLater].contains(self) }

    /// Whether a peer may send this code in a close frame.
    static func isValidFromPeer(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// Why a session ends: the code and the reason of its close frame.
struct CloseReason: Error, Equatable, Sendable {
    let code: CloseCode
    let reason: String

    init(_ code: CloseCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// The sign-in of the session's token has ended.
    static let signInEnded = CloseReason(.unauthorized, "the sign-in has ended")
}
