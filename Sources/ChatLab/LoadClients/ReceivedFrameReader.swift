import NIOCore

/// A frame from a server (RFC 6455, section 5.2): never masked, and ours are never fragmented.
struct ReceivedFrame: Equatable {
    var opcode: UInt8
    var payload: ByteBuffer

    static let continuation: UInt8 = 0x0
    static let text: UInt8 = 0x1
    static let close: UInt8 = 0x8
    static let ping: UInt8 = 0x9
    static let pong: UInt8 = 0xA
}

/// Takes server frames out of a stream of bytes. Far cheaper than NIO's general decoder, which matters with a thousand
/// sockets in one process beside the servers they measure.
enum ReceivedFrameReader {
    struct Malformed: Error {}

    /// - Returns: nil, with `buffer` as it was, if no whole frame is there yet.
    static func next(in buffer: inout ByteBuffer) throws -> ReceivedFrame? {
        var rest = buffer
        guard let first = rest.readInteger(as: UInt8.self), let second = rest.readInteger(as: UInt8.self) else {
            return nil
        }
        // FIN and no reserved bit; no mask.
        guard first & 0xF0 == 0x80, second & 0x80 == 0 else { throw Malformed() }
        let length: Int
        switch second {
        case 126:
            guard let long = rest.readInteger(as: UInt16.self) else { return nil }
            length = Int(long)
        case 127:
            guard let long = rest.readInteger(as: UInt64.self) else { return nil }
            guard long <= 16 * 1024 * 1024 else { throw Malformed() }
            length = Int(long)
        default:
            length = Int(second)
        }
        guard let payload = rest.readSlice(length: length) else { return nil }
        buffer = rest
        return ReceivedFrame(opcode: first & 0x0F, payload: payload)
    }

    /// The bytes before the payload of a server's frame.
    static func headerBytes(of payload: Int) -> Int {
        payload < 126 ? 2 : payload <= Int(UInt16.max) ? 4 : 10
    }

    /// A client's frame of at most 65,535 bytes. The mask is all zeroes: it protects intermediaries (section 10.3), of
    /// which there are none on the loopback.
    static func clientFrame(_ opcode: UInt8, _ payload: ByteBuffer = ByteBuffer(), isFinal: Bool = true) -> ByteBuffer {
        let length = min(payload.readableBytes, Int(UInt16.max))
        var frame = ByteBuffer()
        frame.writeInteger((isFinal ? 0x80 : 0) | opcode)
        if length < 126 {
            frame.writeInteger(0x80 | UInt8(length))
        } else {
            frame.writeInteger(0x80 | UInt8(126))
            frame.writeInteger(UInt16(length))
        }
        frame.writeInteger(UInt32(0))
        frame.writeBytes(payload.readableBytesView.prefix(length))
        return frame
    }
}
