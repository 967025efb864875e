import NIOCore

/// A WebSocket frame (RFC 6455, section 5.2) as a client sends it, well-formed or not.
public struct WebSocketTestFrame: Sendable, Equatable {
    public enum Opcode: UInt8, Sendable {
        case continuation = 0x0
        case text = 0x1
        case binary = 0x2
        case close = 0x8
        case ping = 0x9
        case pong = 0xA
    }

    /// The four bits of the opcode; any value can be sent.
    public var opcode: UInt8
    public var payload: [UInt8]
    public var isFinal = true
    /// The three reserved bits, 0–7.
    public var reserved: UInt8 = 0
    /// Servers must refuse unmasked frames of clients (section 5.1).
    public var isMasked = true

    public init(_ opcode: Opcode, _ payload: [UInt8] = []) {
        self.opcode = opcode.rawValue
        self.payload = payload
    }

    public init(rawOpcode: UInt8, _ payload: [UInt8] = []) {
        opcode = rawOpcode
        self.payload = payload
    }

    public static func text(_ text: String) -> WebSocketTestFrame { WebSocketTestFrame(.text, Array(text.utf8)) }

    public static func close(_ code: UInt16?, reason: String = "") -> WebSocketTestFrame {
        let bytes = code.map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } ?? []
        return WebSocketTestFrame(.close, bytes + Array(reason.utf8))
    }

    /// The bytes on the wire, with a random mask.
    public var bytes: [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        let maskBit: UInt8 = isMasked ? 0x80 : 0
        switch payload.count {
        case ...125: bytes.append(maskBit | UInt8(payload.count))
        case ...0xFFFF: bytes += [maskBit | 126] + bigEndian(payload.count, count: 2)
        default: bytes += [maskBit | 127] + bigEndian(payload.count, count: 8)
        }
        guard isMasked else { return bytes + payload }
        let mask = (0..<4).map { _ in UInt8.random(in: 0...255) }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }

    private func bigEndian(_ value: Int, count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    /// Takes one whole frame of a server off the buffer; `nil` while it is not all there.
    static func read(from buffer: inout ByteBuffer) -> WebSocketTestFrame? {
        var ahead = buffer
        guard let first = ahead.readInteger(as: UInt8.self), let second = ahead.readInteger(as: UInt8.self) else {
            return nil
        }
        var length = Int(second & 0x7F)
        if length == 126 {
            guard let long = ahead.readInteger(as: UInt16.self) else { return nil }
            length = Int(long)
        } else if length == 127 {
            guard let long = ahead.readInteger(as: UInt64.self) else { return nil }
            length = Int(clamping: long)
        }
        let isMasked = second & 0x80 != 0
        if isMasked { ahead.moveReaderIndex(forwardBy: min(4, ahead.readableBytes)) }
        guard let payload = ahead.readBytes(length: length) else { return nil }
        buffer = ahead
        var frame = WebSocketTestFrame(rawOpcode: first & 0x0F, payload)
        frame.isFinal = first & 0x80 != 0
        frame.reserved = first >> 4 & 0x7
        frame.isMasked = isMasked
        return frame
    }
}
