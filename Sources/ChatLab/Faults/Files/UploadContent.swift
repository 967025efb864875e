import Crypto
import NIOCore

/// The bytes of an uploaded file: its mark, which no other file has, and a part of a text that never repeats itself.
struct UploadContent: Sendable {
    static let largest = 5 << 20

    let bytes: ByteBuffer
    /// In hexadecimal digits.
    let sha256: String

    /// - Parameter size: in bytes, up to ``largest``; at least those of the mark.
    init(mark: String, size: Int) {
        var bytes = ByteBuffer(string: mark)
        if let rest = Self.filler.getSlice(at: 0, length: min(size, Self.largest) - bytes.readableBytes) {
            bytes.writeImmutableBuffer(rest)
        }
        self.bytes = bytes
        sha256 = FileHash.of(bytes)
    }

    // A piece that is missing, doubled or in another place changes the hash.
    private static let filler = {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(largest)
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        while buffer.readableBytes < largest {
            // xorshift64 of George Marsaglia.
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            buffer.writeInteger(state)
        }
        return buffer
    }()
}

/// The SHA-256 of a file, in hexadecimal digits, as the contract's `sha256`.
struct FileHash {
    private var digest = SHA256()
    private(set) var size = 0

    mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { digest.update(bufferPointer: $0) }
        size += bytes.readableBytes
    }

    var text: String {
        digest.finalize().map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    static func of(_ bytes: ByteBuffer) -> String {
        var hash = FileHash()
        hash.update(bytes)
        return hash.text
    }
}
