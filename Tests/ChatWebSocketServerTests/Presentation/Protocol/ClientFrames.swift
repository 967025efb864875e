import NIOCore

/// Frames as a client sends them, also such as it must not send.
struct ClientFrameBytes {
    enum LengthForm {
        case shortest, sixteenBits, sixtyFourBits
    }

    var opcode: UInt8 = 0x1
    var payload: [UInt8] = []
    var isFinal = true
    var reserved: UInt8 = 0
    var mask: [UInt8]? = [0x37, 0xFA, 0x21, 0x3D]
    var form = LengthForm.shortest
    /// Where another length than the payload's is claimed.
    var claimedLength: UInt64?

    var bytes: [UInt8] {
        let length = claimedLength ?? UInt64(payload.count)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | reserved | opcode]
        switch form {
        case .shortest where length <= 125: bytes.append(maskBit | UInt8(length))
        case .shortest where length <= UInt64(UInt16.max), .sixteenBits:
            bytes.append(maskBit | 126)
            bytes += withUnsafeBytes(of: UInt16(truncatingIfNeeded: length).bigEndian) { Array($0) }
        case .shortest, .sixtyFourBits:
            bytes.append(maskBit | 127)
            bytes += withUnsafeBytes(of: length.bigEndian) { Array($0) }
        }
        guard let mask else { return bytes + payload }
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
    }
}

func text(_ text: String, isFinal: Bool = true) -> [UInt8] {
    ClientFrameBytes(payload: Array(text.utf8), isFinal: isFinal).bytes
}

func continuation(_ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
    ClientFrameBytes(opcode: 0x0, payload: payload, isFinal: isFinal).bytes
}

func ping(_ payload: String = "") -> [UInt8] { ClientFrameBytes(opcode: 0x9, payload: Array(payload.utf8)).bytes }

func close(_ code: UInt16?, _ reason: [UInt8] = []) -> [UInt8] {
    let code = code.map { code in withUnsafeBytes(of: code.bigEndian) { Array($0) } } ?? []
    return ClientFrameBytes(opcode: 0x8, payload: code + reason).bytes
}
