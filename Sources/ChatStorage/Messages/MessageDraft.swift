import ChatEvents
import CommonUtil
import Crypto

/// A message to be stored: its form has been validated, the rules of its room have not. A class, since it has many
/// fields and is passed from thread to thread.
public final class MessageDraft: Sendable {
    /// Maximum size of the content, in bytes.
    public static let maximumContentBytes = 65_536

    public let roomID: RoomID
    public let senderID: UserID
    public let type: MessageType
    /// Canonical JSON text.
    public let contentJSON: String
    /// The file that the content names. Such a draft is not for the ``MessageWriter``: the file has to be locked.
    public let fileID: FileID?
    /// A message of the same room.
    public let replyToMessageID: MessageID?
    /// The sender's idempotency key: one key stands for one message, for ever.
    public let clientMessageID: String?
    /// SHA-256 of the request, by which a repeated key is recognized as the same request. Stored with the message,
    /// since an edit changes the content but not the request. Empty without a key.
    public let requestHash: [UInt8]

    /// Makes a draft, and hashes its request where it has a key.
    public init(
        roomID: RoomID, senderID: UserID, type: MessageType, contentJSON: String,
        fileID: FileID? = nil, replyToMessageID: MessageID? = nil, clientMessageID: String? = nil
    ) {
        self.roomID = roomID
        self.senderID = senderID
        self.type = type
        self.contentJSON = contentJSON
        self.fileID = fileID
        self.replyToMessageID = replyToMessageID
        self.clientMessageID = clientMessageID
        requestHash =
            clientMessageID == nil
            ? [] : Self.hash(roomID: roomID, type: type, contentJSON: contentJSON, replyTo: replyToMessageID)
    }

    /// The key and its owner; `nil` without a key.
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

/// The columns of the unique index of the messages table. Keys are compared by bytes, as PostgreSQL does (``JSONKey``
/// does the same): Swift's strings are also equal where they are only canonically equivalent.
struct IdempotencyKey: Hashable, Sendable {
    let senderID: UserID
    let clientMessageID: JSONKey
}
