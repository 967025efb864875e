import NIOCore

/// Decodes a client's frames (RFC 6455 section 5). Pure: no I/O.
///
/// Fragments are joined to whole messages; control frames between them are returned at once. Every frame returns something,
/// so that the caller can count frames. The first violation ends the stream. Text is validated as it arrives, so that
/// invalid UTF-8 ends the stream before its frame or message is complete (section 8.1).
struct WebSocketFrameParser {
    /// A frame, or the message that it completes.
    enum Message: Equatable {
        case text(ByteBuffer)
        case binary(ByteBuffer)
        case ping(ByteBuffer)
        case pong
        /// A fragment that does not complete its message.
        case fragment
        /// - code: `nil` if the peer sent none.
        case close(code: UInt16?)
    }

    /// Largest message that is accepted, in bytes of payload.
    static let maximumSize = 65_536

    private struct Header {
        let isFinal: Bool
        let opcode: WebSocketFrame.Opcode
        let length: Int
        let maskKey: (UInt8, UInt8, UInt8, UInt8)
    }

    /// A message that is not complete.
    private struct Fragments {
        let isText: Bool
        var payload: ByteBuffer
    }

    private let takesBinary: Bool
    private var input = ByteBuffer()
    private var header: Header?
    /// Bytes of the present frame's payload, at the front of the input, that are unmasked and, in text, validated.
    private var prepared = 0
    private var fragments: Fragments?
    private var validator = UTF8Validator()

    /// - Parameter takesBinary: whether binary messages are accepted; otherwise they end the stream.
    init(takesBinary: Bool = false) { self.takesBinary = takesBinary }

    /// Takes bytes of the stream.
    mutating func append(_ bytes: ByteBuffer) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeImmutableBuffer(bytes)
        }
    }

    /// Decodes the next frame; `nil` if more bytes are needed.
    /// - Throws: the reason to close the connection with, at the first violation.
    mutating func next() throws(CloseReason) -> Message? {
        if header == nil { header = try readHeader() }
        guard let header else { return nil }
        guard header.length <= input.readableBytes else {
            if !header.opcode.isControl { try prepare(header, upTo: input.readableBytes) }
            return nil
        }
        return try finish(header)
    }

    // MARK: Header

    private mutating func readHeader() throws(CloseReason) -> Header? {
        let start = input.readerIndex
        guard let first = input.getInteger(at: start, as: UInt8.self),
            let second = input.getInteger(at: start + 1, as: UInt8.self)
        else { return nil }
        guard first & 0x70 == 0 else { throw CloseReason(.protocolError, "reserved bits are set") }
        guard let opcode = WebSocketFrame.Opcode(rawValue: first & 0x0F) else {
            throw CloseReason(.protocolError, "unknown opcode")
        }
        guard second & 0x80 != 0 else { throw CloseReason(.protocolError, "client frames must be masked") }
        let isFinal = first & 0x80 != 0
        let shortLength = Int(second & 0x7F)
        if opcode.isControl, !isFinal || shortLength > WebSocketFrame.maximumControlPayload {
            throw CloseReason(.protocolError, "control frames are whole and short")
        }
        try checkOrder(opcode)
        guard let (length, lengthSize) = try length(shortLength, at: start + 2) else { return nil }
        // Not added up: a peer may announce a length that would overflow the sum.
        guard opcode.isControl || length <= Self.maximumSize - (fragments?.payload.readableBytes ?? 0) else {
            throw CloseReason(.messageTooBig, "messages may have \(Self.maximumSize) bytes")
        }
        let maskStart = start + 2 + lengthSize
        guard let mask = input.getBytes(at: maskStart, length: 4) else { return nil }
        input.moveReaderIndex(to: maskStart + 4)
        return Header(
            isFinal: isFinal, opcode: opcode, length: length, maskKey: (mask[0], mask[1], mask[2], mask[3]))
    }

    private func checkOrder(_ opcode: WebSocketFrame.Opcode) throws(CloseReason) {
        switch opcode {
        case .binary where !takesBinary: throw CloseReason(.unsupportedData, "binary messages are not taken")
        case .text where fragments != nil, .binary where fragments != nil:
            throw CloseReason(.protocolError, "a message began within another")
        case .continuation where fragments == nil: throw CloseReason(.protocolError, "nothing is to be continued")
        default: break
        }
    }

    private func length(_ short: Int, at index: Int) throws(CloseReason) -> (length: Int, size: Int)? {
        switch short {
        case 126:
            guard let length = input.getInteger(at: index, as: UInt16.self) else { return nil }
            guard length > 125 else { throw CloseReason(.protocolError, "the length is not written the short way") }
            return (Int(length), 2)
        case 127:
            guard let length = input.getInteger(at: index, as: UInt64.self) else { return nil }
            guard length > UInt16.max, length <= UInt64(Int64.max) else {
                throw CloseReason(.protocolError, "the length is not written the short way")
            }
            return (Int(length), 8)
        default:
            return (short, 0)
        }
    }

    // MARK: Payload

    private mutating func finish(_ header: Header) throws(CloseReason) -> Message {
        // The usual text comes whole in one frame and one read: then it is checked as a whole, which is faster.
        let isPlain = prepared == 0 && header.opcode == .text && header.isFinal
        if isPlain || header.opcode.isControl {
            unmask(0..<header.length, header.maskKey)
        } else {
            try prepare(header, upTo: header.length)
        }
        let payload = input.readSlice(length: header.length) ?? ByteBuffer()
        self.header = nil
        prepared = 0
        if input.readableBytes == 0 { input = ByteBuffer() }

        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong
        case .close: return try close(payload)
        case .text where isPlain:
            guard UTF8Text.isValid(payload) else { throw Self.noText }
            return .text(payload)
        case .text, .binary, .continuation:
            return try join(payload, isText: isText(header), isFinal: header.isFinal)
        }
    }

    private mutating func join(_ payload: ByteBuffer, isText: Bool, isFinal: Bool) throws(CloseReason) -> Message {
        var whole = payload
        // Taken, so that the bytes have one owner and are not copied for each fragment.
        if var begun = fragments.take() {
            begun.payload.writeImmutableBuffer(payload)
            whole = begun.payload
        }
        guard isFinal else {
            fragments = Fragments(isText: isText, payload: whole)
            return .fragment
        }
        guard isText else { return .binary(whole) }
        guard validator.isComplete else { throw Self.noText }
        return .text(whole)
    }

    private func isText(_ header: Header) -> Bool {
        header.opcode == .continuation ? fragments?.isText == true : header.opcode == .text
    }

    /// Unmasks and validates what has arrived of a data frame.
    private mutating func prepare(_ header: Header, upTo end: Int) throws(CloseReason) {
        let range = prepared..<end
        prepared = end
        unmask(range, header.maskKey)
        guard isText(header) else { return }
        let isValid = input.withUnsafeReadableBytes { validator.take(UnsafeRawBufferPointer(rebasing: $0[range])) }
        guard isValid else { throw Self.noText }
    }

    private static let noText = CloseReason(.invalidData, "text must be UTF-8")

    private func close(_ payload: ByteBuffer) throws(CloseReason) -> Message {
        var payload = payload
        guard payload.readableBytes > 0 else { return .close(code: nil) }
        guard let code = payload.readInteger(as: UInt16.self), CloseCode.isValidFromPeer(code) else {
            throw CloseReason(.protocolError, "invalid close code")
        }
        guard UTF8Text.isValid(payload) else { throw CloseReason(.invalidData, "the close reason must be UTF-8") }
        return .close(code: code)
    }

    /// - Parameter range: within the present frame's payload, which is at the front of the input.
    private mutating func unmask(_ range: Range<Int>, _ key: (UInt8, UInt8, UInt8, UInt8)) {
        guard !range.isEmpty else { return }
        input.withUnsafeMutableReadableBytes { bytes in
            for index in range {
                switch index & 3 {
                case 0: bytes[index] ^= key.0
                case 1: bytes[index] ^= key.1
                case 2: bytes[index] ^= key.2
                default: bytes[index] ^= key.3
                }
            }
        }
    }
}
