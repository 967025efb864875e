import ChatEvents
import CommonUtil
import Crypto
import PostgresClient

/// A message that a server's key posts: for the installation, or in the name of any user.
///
/// It is stored under its room's lock, and not by `MessageWriter`, whose batches are for posts of users: what a user's post
/// costs does not depend on keys.
public struct KeyPost: Sendable {
    /// The message. Its `clientMessageId` is the key's own.
    public let draft: MessageDraft
    /// The key, to whose name the idempotency key belongs.
    public let keyName: KeyName

    /// Describes a post.
    public init(_ draft: MessageDraft, by keyName: KeyName) {
        self.draft = draft
        self.keyName = keyName
    }

    /// By which a repeated `clientMessageId` is recognized as the same request. The sender is part of it.
    var requestHash: [UInt8] {
        SHA256.hash(data: draft.requestHash + Array(draft.senderID.description.utf8)).withUnsafeBytes { Array($0) }
    }
}

extension LockedRoom {
    /// Stores a post, or finds it under its `clientMessageId`.
    /// - Throws: where nothing is to be stored; the transaction must be rolled back then.
    public mutating func post(_ post: KeyPost) async throws -> PostOutcome {
        let draft = post.draft
        let messageID = try await drawMessageID()
        if let key = draft.clientMessageID {
            let claim = try await transaction.query(
                Self.claimKey, .text(post.keyName.rawValue), .text(key), .int8(messageID.rawValue),
                .bytea(post.requestHash))
            guard claim.affectedRows == 1 else { return try await earlier(post, key) }
        }
        // A key is looked at before the room: a repeated post gets its first outcome, whatever the room has become.
        guard !room.isArchived else { throw ChatError(.roomArchived) }
        if let target = draft.replyToMessageID, try await !isReplyTarget(target) {
            throw ChatError.invalid(EventKey.replyToMessageID, "must name a message of this room that is not deleted")
        }
        let content = try await content(of: draft)
        // Without the idempotency key, which only the backend needs: the room does not get it.
        let message = Message(
            messageID: messageID, roomID: room.roomID, seq: room.lastSeq + 1, senderID: draft.senderID,
            type: draft.type, contentJSON: content, sentAt: now, replyToMessageID: draft.replyToMessageID)
        try await append(message)
        if let fileID = draft.fileID { try await setFile(fileID, of: messageID) }
        return .stored(PostedMessage(message))
    }

    private func earlier(_ post: KeyPost, _ key: String) async throws -> PostOutcome {
        let rows = try await transaction.query(Self.selectEarlier, .text(post.keyName.rawValue), .text(key))
        guard let row = rows.first else { throw PostgresError.decoding("a key that is taken is not there") }
        guard try row.decode(column: 0, as: [UInt8].self) == post.requestHash else { return .refused(.keyReused) }
        return .repeated(try Message(row, from: 1))
    }

    // Waits for another transaction that claims the same key.
    private static let claimKey = PostgresStatement(
        """
        INSERT INTO key_messages (key_name, client_message_id, message_id, request_hash) VALUES ($1, $2, $3, $4)
        ON CONFLICT (key_name, client_message_id) DO NOTHING
        """)
    private static let selectEarlier = PostgresStatement(
        """
        SELECT key_messages.request_hash, \(Message.columns) FROM key_messages
        JOIN messages ON messages.message_id = key_messages.message_id
        WHERE key_name = $1 AND key_messages.client_message_id = $2
        """)
}
