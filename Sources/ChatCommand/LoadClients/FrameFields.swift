import NIOCore

/// The two numbers of an event that a load client looks at, found without parsing: a thousand sockets get the same text.
struct FrameFields: Equatable {
    /// The member `seq` of the event.
    var seq: Int?
    /// The member `sentNanos` that the bench put into the payload, which the event holds as JSON inside a string.
    var sentNanos: UInt64?

    // Within the string the closing quote of a name is escaped, so neither can be taken for the other.
    private static let seqKey = Array(#""seq":"#.utf8)
    private static let sentKey = Array(#"sentNanos\":"#.utf8)
    static let sentName = "sentNanos"

    init(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { bytes in
            seq = Self.number(after: Self.seqKey, in: bytes).map { Int($0) }
            sentNanos = Self.number(after: Self.sentKey, in: bytes)
        }
    }

    private static func number(after key: [UInt8], in bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count > key.count else { return nil }
        for start in 0..<(bytes.count - key.count) where bytes[start] == key[0] {
            guard (1..<key.count).allSatisfy({ bytes[start + $0] == key[$0] }) else { continue }
            var value: UInt64 = 0
            var position = start + key.count
            let first = position
            while position < bytes.count, case let digit = bytes[position] &- UInt8(ascii: "0"), digit < 10 {
                value = value &* 10 &+ UInt64(digit)
                position += 1
            }
            return position > first ? value : nil
        }
        return nil
    }
}
