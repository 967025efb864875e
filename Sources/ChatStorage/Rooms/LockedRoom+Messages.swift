import ChatEvents
import CommonUtil
import PostgresClient

/// Changes of stored messages. A row holds the present content of a message, and every event about the message shows
/// that: earlier content is kept nowhere.
///
/// Neither change moves the room up in its members' lists, nor makes anything unread.
extension LockedRoom {
    /// A message of this room, as it is under the lock.
    public func message(_ messageID: MessageID) async throws -> Message? {
        try await transaction.query(Self.selectMessage, .text(room.roomID.rawValue), .int8(messageID.rawValue)).first
            .map { try Message($0) }
    }

    /// Replaces the content of a message.
    /// - Returns: the message as it is now.
    public mutating func edit(_ message: Message, to contentJSON: String, by actorID: UserID) async throws -> Message {
        let edited = message.edited(to: contentJSON, at: now)
        try await append(
            .messageEdited(edited, by: actorID, at: now), by: actorID, Self.updateContent,
            [.int8(message.messageID.rawValue), .text(contentJSON), .timestamptz(now)], isActivity: false)
        return edited
    }

    /// Deletes a message and leaves a tombstone.
    public mutating func delete(_ message: Message, by actorID: UserID) async throws {
        try await append(
            .messageDeleted(message.deleted(at: now), by: actorID, at: now), by: actorID, Self.updateDeleted,
            [
                .int8(message.messageID.rawValue), .text(Message.emptyContent), .timestamptz(now),
                .int8(message.senderID.rawValue), .int8(message.seq),
            ], isActivity: false)
    }

    private static let selectMessage = PostgresStatement(
        "SELECT \(Message.columns) FROM messages WHERE room_id = $1 AND message_id = $2")
    private static let updateContent = PostgresStatement(
        """
        UPDATE messages SET content = $3, updated_at = $4, is_edited = true WHERE room_id = $1 AND message_id = $2
        """)
    // A deleted message no longer implies its sender's mark (``StoredMark``).
    private static let updateDeleted = PostgresStatement(
        """
        WITH marked AS (
            UPDATE room_members SET last_read_seq = $6
            WHERE room_id = $1 AND user_id = $5 AND last_read_seq < $6 AND joined_seq < $6
        )
        UPDATE messages SET content = $3, updated_at = $4, is_deleted = true WHERE room_id = $1 AND message_id = $2
        """)
}

extension Message {
    fileprivate func edited(to contentJSON: String, at time: Timestamp) -> Message {
        changed(contentJSON: contentJSON, updatedAt: time, isEdited: true, isDeleted: isDeleted)
    }

    fileprivate func deleted(at time: Timestamp) -> Message {
        changed(contentJSON: Self.emptyContent, updatedAt: time, isEdited: isEdited, isDeleted: true)
    }

    private func changed(contentJSON: String, updatedAt: Timestamp, isEdited: Bool, isDeleted: Bool) -> Message {
        Message(
            messageID: messageID, roomID: roomID, seq: seq, senderID: senderID, type: type, contentJSON: contentJSON,
            sentAt: sentAt, updatedAt: updatedAt, replyToMessageID: replyToMessageID, clientMessageID: clientMessageID,
            isEdited: isEdited, isDeleted: isDeleted)
    }
}
