import NIOCore

/// A violation of RFC 6455 by the server.
struct WebSocketViolation: Error, Equatable {
    let code: UInt16
    let reason: String

    init(_ code: UInt16, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// Decodes a server's frames (RFC 6455 section 5). Pure. Fragments are joined to whole messages.
struct WebSocketDecoder {
    enum Message: Equatable {
        case text(String)
        case ping(ByteBuffer)
        case pong
        /// A fragment that does not complete its message.
        case fragment
        case close(code: UInt16?, reason: String)
    }

    private struct Header {
        let isFinal: Bool
        let opcode: UInt8
        let length: Int
        var isControl: Bool { opcode >= 8 }
    }

    let maximumSize: Int
    private var input = ByteBuffer()
    private var header: Header?
    private var fragments: ByteBuffer?

    /// - Parameter maximumSize: the largest message that is accepted, in bytes.
    init(maximumSize: Int = 16 << 20) { self.maximumSize = maximumSize }

    mutating func append(_ bytes: ByteBuffer) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeImmutableBuffer(bytes)
        }
    }

    /// Decodes the next frame; `nil` if more bytes are needed.
    mutating func next() throws(WebSocketViolation) -> Message? {
        if header == nil { header = try readHeader() }
        guard let header, let payload = input.readSlice(length: header.length) else { return nil }
        self.header = nil
        switch header.opcode {
        case 8: return try close(payload)
        case 9: return .ping(payload)
        case 10: return .pong
        default: return try join(payload, isFinal: header.isFinal)
        }
    }

    private mutating func readHeader() throws(WebSocketViolation) -> Header? {
        let start = input.readerIndex
        guard let first = input.getInteger(at: start, as: UInt8.self),
            let second = input.getInteger(at: start + 1, as: UInt8.self)
        else { return nil }
        guard first & 0x70 == 0 else { throw WebSocketViolation(1002, "reserved bits are set") }
        guard second & 0x80 == 0 else { throw WebSocketViolation(1002, "a server does not mask") }
        let opcode = first & 0x0F
        let isFinal = first & 0x80 != 0
        let short = Int(second & 0x7F)
        switch opcode {
        case 0 where fragments == nil: throw WebSocketViolation(1002, "nothing is to be continued")
        case 1 where fragments != nil: throw WebSocketViolation(1002, "a message began within another")
        case 2: throw WebSocketViolation(1003, "binary messages are not accepted")
        case 8...10 where !isFinal || short > 125: throw WebSocketViolation(1002, "control frames are whole and short")
        case 0, 1, 8...10: break
        default: throw WebSocketViolation(1002, "unknown opcode")
        }
        var length = short
        var size = 2
        if short == 126 {
            guard let long = input.getInteger(at: start + 2, as: UInt16.self) else { return nil }
            guard long > 125 else { throw WebSocketViolation(1002, "the length is not written the short way") }
            (length, size) = (Int(long), 4)
        } else if short == 127 {
            guard let long = input.getInteger(at: start + 2, as: UInt64.self) else { return nil }
            guard long > UInt16.max, long <= UInt64(Int64.max) else {
                throw WebSocketViolation(1002, "the length is not written the short way")
            }
            (length, size) = (Int(long), 10)
        }
        // Not added up: a peer may announce a length that would overflow the sum.
        guard opcode >= 8 || length <= maximumSize - (fragments?.readableBytes ?? 0) else {
            throw WebSocketViolation(1009, "messages may have \(maximumSize) bytes")
        }
        input.moveReaderIndex(forwardBy: size)
        return Header(isFinal: isFinal, opcode: opcode, length: length)
    }

    private mutating func join(_ payload: ByteBuffer, isFinal: Bool) throws(WebSocketViolation) -> Message {
        var whole = payload
        if var begun = fragments {
            // One owner, so that the bytes are not copied for each fragment.
            fragments = nil
            begun.writeImmutableBuffer(payload)
            whole = begun
        }
        guard isFinal else {
            fragments = whole
            return .fragment
        }
        guard UTF8Check.isValid(whole.readableBytesView) else { throw WebSocketViolation(1007, "text must be UTF-8") }
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

/// Encodes a client's frames, which are masked (RFC 6455 section 5.3).
enum WebSocketEncoder {
    enum Opcode: UInt8 { case text = 1, close = 8, pong = 10 }

    static func frame(_ opcode: Opcode, _ payload: some Collection<UInt8>, mask: UInt32) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: payload.count + 14)
        buffer.writeInteger(0x80 | opcode.rawValue)
        switch payload.count {
        case ..<126: buffer.writeInteger(0x80 | UInt8(payload.count))
        case ..<65_536:
            buffer.writeInteger(0x80 | UInt8(126))
            buffer.writeInteger(UInt16(payload.count))
        default:
            buffer.writeInteger(0x80 | UInt8(127))
            buffer.writeInteger(UInt64(payload.count))
        }
        buffer.writeInteger(mask)
        var shift: UInt32 = 24
        for byte in payload {
            buffer.writeInteger(byte ^ UInt8(truncatingIfNeeded: mask >> shift))
            shift = shift == 0 ? 24 : shift - 8
        }
        return buffer
    }

    static func close(_ code: UInt16, mask: UInt32) -> ByteBuffer {
        frame(.close, [UInt8(code >> 8), UInt8(code & 0xFF)], mask: mask)
    }
}
