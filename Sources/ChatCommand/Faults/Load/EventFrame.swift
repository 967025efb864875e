import NIOCore

/// What a fault's clients need to know of a frame or of an answer to a post, found without parsing: fifty sessions get
/// the same text.
struct EventFrame: Equatable {
    /// `eventType`; nil in an answer to a post.
    var kind: String?
    var seq: Int?
    var messageID: Int?
    /// How long to stay away, in a `reconnect`.
    var afterMilliseconds: Int?

    // Within `contentJson` the quotes of a name are escaped, so what a payload holds is not taken for an event's.
    private static let kindKey = Array(#""eventType":""#.utf8)
    private static let seqKey = Array(#""seq":"#.utf8)
    private static let messageKey = Array(#""messageId":"#.utf8)
    private static let afterKey = Array(#""afterMs":"#.utf8)

    init(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { bytes in
            kind = ByteScan.text(after: Self.kindKey, in: bytes)
            seq = ByteScan.number(after: Self.seqKey, in: bytes)
            messageID = ByteScan.number(after: Self.messageKey, in: bytes)
            if kind == "reconnect" { afterMilliseconds = ByteScan.number(after: Self.afterKey, in: bytes) }
        }
    }
}
