import ChatEvents
import CommonUtil
import PostgresClient

/// The messages of a room. A row holds the present content of a message, and every event about the message shows
/// that: earlier content is kept nowhere.
///
/// An edit or a deletion neither moves the room up in its members' lists nor makes anything unread.
extension LockedRoom {
    /// A message of this room, as it is under the lock.
    public func message(_ messageID: MessageID) async throws -> Message? {
        try await transaction.query(Self.selectMessage, .text(room.roomID.rawValue), .int8(messageID.rawValue)).first
            .map { try Message($0) }
    }

    /// Whether a message may be replied to.
    func isReplyTarget(_ messageID: MessageID) async throws -> Bool {
        try await message(messageID)?.isDeleted == false
    }

    /// The id of the next message.
    func drawMessageID() async throws -> MessageID {
        guard let row = try await transaction.query(Self.drawMessageID).first else {
            throw PostgresError.decoding("a sequence gave no number")
        }
        return MessageID(try row.decode(column: 0))
    }

    /// Stores a message as the next event. The sender's read mark is written only where it would fall too far behind
    /// (``StoredMark``).
    mutating func append(_ message: Message) async throws {
        let event = RoomEvent(roomID: room.roomID, seq: message.seq, change: .message(message))
        let roomID = PostgresParameter.text(room.roomID.rawValue)
        _ = try await transaction.batch([
            PostgresCommand(
                Self.insertMessage, .int8(message.messageID.rawValue), roomID, .int8(message.seq),
                .int8(message.senderID.rawValue), .text(message.type.rawValue), .text(message.contentJSON),
                .timestamptz(message.sentAt), .int8(message.replyToMessageID?.rawValue)),
            PostgresCommand(
                Self.advance, roomID, .int8(message.seq), .timestamptz(now), .int8(0)),
            PostgresCommand(Self.markRead, roomID, .int8(message.senderID.rawValue), .int8(message.seq)),
        ])
        record(event)
    }

    /// Replaces the content of a message.
    /// - Parameter fileID: the file that the new content names, locked by ``file(_:of:)``.
    /// - Returns: the message as it is now.
    public mutating func edit(
        _ message: Message, to contentJSON: String, naming fileID: FileID? = nil, by actorID: UserID
    ) async throws -> Message {
        if message.type.mayNameFile { try await setFile(fileID, of: message.messageID) }
        let edited = message.edited(to: contentJSON, at: now)
        try await append(
            .messageEdited(edited, by: actorID, at: now), by: actorID, Self.updateContent,
            [.int8(message.messageID.rawValue), .text(contentJSON), .timestamptz(now)], isActivity: false)
        return edited
    }

    /// Deletes a message and leaves a tombstone.
    public mutating func delete(_ message: Message, by actorID: UserID) async throws {
        if message.type.mayNameFile { try await setFile(nil, of: message.messageID) }
        try await append(
            .messageDeleted(message.deleted(at: now), by: actorID, at: now), by: actorID, Self.updateDeleted,
            [
                .int8(message.messageID.rawValue), .text(Message.emptyContent), .timestamptz(now),
                .int8(message.senderID.rawValue), .int8(message.seq),
            ], isActivity: false)
    }

    private static let drawMessageID = PostgresStatement("SELECT nextval('messages_message_id_seq')")
    private static let selectMessage = PostgresStatement(
        "SELECT \(Message.columns) FROM messages WHERE room_id = $1 AND message_id = $2")
    private static let insertMessage = PostgresStatement(
        """
        INSERT INTO messages (message_id, room_id, seq, sender_id, type, content, sent_at, reply_to)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """)
    private static let markRead = PostgresStatement(
        """
        UPDATE room_members SET last_read_seq = $3
        WHERE room_id = $1 AND user_id = $2 AND last_read_seq + \(StoredMark.window) < $3
        """)
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
