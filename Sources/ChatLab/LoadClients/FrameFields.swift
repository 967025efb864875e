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
            seq = ByteScan.number(after: Self.seqKey, in: bytes)
            sentNanos = ByteScan.number(after: Self.sentKey, in: bytes)
        }
    }
}
