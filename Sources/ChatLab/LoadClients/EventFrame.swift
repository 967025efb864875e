import NIOCore

/// What a fault's clients need to know of a frame or of an answer to a post, found without parsing: fifty sessions get
/// the same text.
struct EventFrame: Equatable {
    /// `eventType`; nil in an answer to a post.
    var kind: String?
    var seq: Int?
    /// Which event of which log it is.
    var mark: String?
    var roomID: String?
    var messageID: Int?
    /// The user that a `read` or an event about a member is about.
    var userID: Int?
    /// How far that user has read, in a `read`.
    var lastReadSeq: Int?
    /// What was wrong, in an `error`.
    var code: String?
    /// How long to stay away, in a `reconnect`.
    var afterMilliseconds: Int?

    // Within `contentJson` the quotes of a name are escaped, so what a payload holds is not taken for an event's.
    private static let kindKey = Array(#""eventType":""#.utf8)
    private static let seqKey = Array(#""seq":"#.utf8)
    private static let markKey = Array(#""mark":""#.utf8)
    private static let roomKey = Array(#""roomId":""#.utf8)
    private static let messageKey = Array(#""messageId":"#.utf8)
    private static let userKey = Array(#""userId":"#.utf8)
    private static let lastReadKey = Array(#""lastReadSeq":"#.utf8)
    private static let codeKey = Array(#""code":""#.utf8)
    private static let afterKey = Array(#""afterMs":"#.utf8)

    init(_ text: ByteBuffer) {
        text.withUnsafeReadableBytes { bytes in
            kind = ByteScan.text(after: Self.kindKey, in: bytes)
            seq = ByteScan.number(after: Self.seqKey, in: bytes)
            mark = ByteScan.text(after: Self.markKey, in: bytes)
            roomID = ByteScan.text(after: Self.roomKey, in: bytes)
            messageID = ByteScan.number(after: Self.messageKey, in: bytes)
            switch kind {
            case "reconnect":
                afterMilliseconds = ByteScan.number(after: Self.afterKey, in: bytes)
            case "error":
                code = ByteScan.text(after: Self.codeKey, in: bytes)
            case "read":
                userID = ByteScan.number(after: Self.userKey, in: bytes)
                lastReadSeq = ByteScan.number(after: Self.lastReadKey, in: bytes)
            case History.joinKind, History.leaveKind, "member_role_changed":
                userID = ByteScan.number(after: Self.userKey, in: bytes)
            default:
                break
            }
        }
    }

    /// What a session notes of an event of the log; nil for what is none.
    var sighting: History.Sighting? {
        guard let kind, let seq else { return nil }
        return History.Sighting(
            seq: seq, identity: .init(kind: kind, messageID: messageID, userID: userID), eventMark: mark,
            at: NIODeadline.now().uptimeNanoseconds)
    }
}
