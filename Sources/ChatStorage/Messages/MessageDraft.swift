import ChatEvents
import CommonUtil
import Crypto

/// A message on its way into a room's log: checked in form, not yet against the room. A class, since it has many parts
/// and goes from one thread and list to the next.
public final class MessageDraft: Sendable {
    public let roomID: RoomID
    public let senderID: UserID
    public let type: MessageType
    /// Canonical JSON text.
    public let contentJSON: String
    public let replyToMessageID: MessageID?
    /// The sender's own key for this message: the same key is the same message, for ever.
    public let clientMessageID: String?
    /// Tells whether a repeated key comes with the same request. Stored with the key, since an edit changes the
    /// content but not what was asked for. Empty without a key.
    public let requestHash: [UInt8]

    public init(
        roomID: RoomID, senderID: UserID, type: MessageType, contentJSON: String,
        replyToMessageID: MessageID? = nil, clientMessageID: String? = nil
    ) {
        self.roomID = roomID
        self.senderID = senderID
        self.type = type
        self.contentJSON = contentJSON
        self.replyToMessageID = replyToMessageID
        self.clientMessageID = clientMessageID
        requestHash =
            clientMessageID == nil
            ? [] : Self.hash(roomID: roomID, type: type, contentJSON: contentJSON, replyTo: replyToMessageID)
    }

    /// What makes two posts with one key the same post.
    var idempotencyKey: IdempotencyKey? {
        clientMessageID.map { IdempotencyKey(senderID: senderID, clientMessageID: JSONKey($0)) }
    }

    private static func append(_ part: String, to text: inout [UInt8]) {
        text.append(contentsOf: part.utf8)
        text.append(0)
    }

    private static func hash(
        roomID: RoomID, type: MessageType, contentJSON: String, replyTo: MessageID?
    ) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(contentJSON.utf8.count + 160)
        append(roomID.rawValue, to: &text)
        append(type.rawValue, to: &text)
        append(replyTo?.description ?? "", to: &text)
        append(contentJSON, to: &text)
        return SHA256.hash(data: text).withUnsafeBytes { Array($0) }
    }
}

/// What the unique index of the messages table is over. Compared as PostgreSQL does it, by bytes, which is how names in
/// JSON are compared, too: Swift's strings are equal where they only look the same.
struct IdempotencyKey: Hashable, Sendable {
    let senderID: UserID
    let clientMessageID: JSONKey
}
