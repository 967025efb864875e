import ChatEvents
import CommonUtil
import PostgresClient

/// The files that messages name. Which message names which file changes only under the room's lock and that of the file's
/// row, by which a post and a deletion of one file are decided.
extension LockedRoom {
    /// Locks a file that a message of a sender may name: of this room, that sender's, and no thumbnail.
    public func file(_ fileID: FileID, of senderID: UserID) async throws -> ChatFile? {
        try await transaction.query(
            Self.lockFile, .text(fileID.rawValue), .text(room.roomID.rawValue), .int8(senderID.rawValue)
        ).first.map { try ChatFile($0) }
    }

    /// The error for a payload that names any other file.
    public static let unknownFile = ChatError.invalid(
        "payload.\(ChatFile.payloadField)", "must name a file of this room that its sender has uploaded")

    /// The content of a draft, with what is known of the file that it names.
    func content(of draft: MessageDraft) async throws -> String {
        guard let fileID = draft.fileID else { return draft.contentJSON }
        guard let file = try await file(fileID, of: draft.senderID) else { throw Self.unknownFile }
        return try file.filling(draft.contentJSON)
    }

    /// Sets the file that a message names. The one that it named before is deleted where no other message names it.
    func setFile(_ fileID: FileID?, of messageID: MessageID) async throws {
        let message = PostgresParameter.int8(messageID.rawValue)
        let file = PostgresParameter.text(fileID?.rawValue)
        let former = try await transaction.query(Self.unlink, message, file).first
        if let former {
            _ = try await transaction.query(Self.release, .text(try former.decode(column: 0, as: String.self)))
        }
        guard fileID != nil else { return }
        guard try await transaction.query(Self.link, message, file).affectedRows == 1 else { return }
        _ = try await transaction.query(Self.use, file)
    }

    // Thumbnails go with their file, and are found by it (``FileRemoval``).
    private static let lockFile = PostgresStatement(
        """
        SELECT \(ChatFile.columns) FROM files
        WHERE file_id = $1 AND room_id = $2 AND uploader_id = $3 AND thumbnail_of IS NULL AND deleted_at IS NULL
        FOR UPDATE OF files
        """)
    private static let unlink = PostgresStatement(
        "DELETE FROM message_files WHERE message_id = $1 AND file_id IS DISTINCT FROM $2 RETURNING file_id")
    private static let link = PostgresStatement(
        "INSERT INTO message_files (message_id, file_id) VALUES ($1, $2) ON CONFLICT (message_id) DO NOTHING")
    private static let use = PostgresStatement("UPDATE files SET uses = uses + 1 WHERE file_id = $1")
    private static let release = PostgresStatement(
        """
        WITH released AS (
            UPDATE files SET uses = uses - 1,
                deleted_at = CASE WHEN uses > 1 THEN deleted_at ELSE coalesce(deleted_at, now()) END,
                remove_at = CASE WHEN uses > 1 THEN remove_at ELSE coalesce(remove_at, now()) END
            WHERE file_id = $1 RETURNING uses
        )
        UPDATE files SET deleted_at = now(), remove_at = now()
        WHERE thumbnail_of = $1 AND deleted_at IS NULL AND (SELECT uses FROM released) = 0
        """)
}

// MARK: - Posts of users

extension LockedRoom {
    /// Stores a user's post that names a file, or finds it under its `clientMessageId`: what ``MessageWriter`` does with
    /// posts that name none, one by one.
    /// - Parameter isOpen: whether public rooms take posts from non-members (`trusted` mode).
    /// - Throws: `validation_failed` for a file that the sender may not name here; the transaction must be rolled back then.
    public mutating func post(_ draft: MessageDraft, isOpen: Bool) async throws -> PostOutcome {
        if let earlier = try await Self.earlier(draft, { try await transaction.query($0, $1) }) { return earlier }
        if try await member(draft.senderID) == nil {
            guard room.type == .public else { return .refused(.roomNotFound) }
            guard isOpen else { return .refused(.notAMember) }
        }
        guard !room.isArchived else { return .refused(.roomArchived) }
        if let target = draft.replyToMessageID, try await !isReplyTarget(target) { return .refused(.replyNotFound) }
        let content = try await content(of: draft)
        let message = Message(
            messageID: try await drawMessageID(), roomID: room.roomID, seq: room.lastSeq + 1, senderID: draft.senderID,
            type: draft.type, contentJSON: content, sentAt: now, replyToMessageID: draft.replyToMessageID,
            clientMessageID: draft.clientMessageID)
        try await append(message)
        if draft.clientMessageID != nil {
            _ = try await transaction.query(
                Self.setKey, .int8(message.messageID.rawValue), .text(draft.clientMessageID),
                .bytea(draft.requestHash))
        }
        try await setFile(draft.fileID, of: message.messageID)
        return .stored(PostedMessage(message))
    }

    /// The outcome of a post whose key is taken.
    /// - Parameter query: runs a statement, in a transaction or on its own.
    static func earlier(
        _ draft: MessageDraft, _ query: (PostgresStatement, [PostgresParameter]) async throws -> PostgresRows
    ) async throws -> PostOutcome? {
        guard let key = draft.clientMessageID else { return nil }
        let row = try await query(selectEarlierPost, [.int8(draft.senderID.rawValue), .text(key)]).first
        guard let row else { return nil }
        guard try row.decode(column: 0, as: [UInt8]?.self) == draft.requestHash else { return .refused(.keyReused) }
        let message = try Message(row, from: 2)
        let isVisible = try row.decode(column: 1, as: Bool?.self) ?? false
        return isVisible ? .repeated(message) : .repeatedWithoutAccess(PostReceipt(message))
    }

    private static let setKey = PostgresStatement(
        "UPDATE messages SET client_message_id = $2, request_hash = $3 WHERE message_id = $1")
    private static let selectEarlierPost = PostgresStatement(
        """
        SELECT messages.request_hash, access.is_visible, \(Message.columns) FROM messages
        LEFT JOIN LATERAL \(RoomAccess.isVisible(room: "messages.room_id", user: "messages.sender_id")) AS access
            ON true
        WHERE messages.sender_id = $1 AND messages.client_message_id = $2
        """)
}

extension RoomRepository {
    /// Stores a user's post that names a file (``LockedRoom/post(_:isOpen:)``).
    /// - Returns: the outcome, and the event to be published where it is stored now.
    public func postFile(_ draft: MessageDraft, isOpen: Bool) async throws -> (
        outcome: PostOutcome, events: [RoomEvent]
    ) {
        // A key is looked at before the room: a repeated post gets its first outcome, whatever the room has become.
        if let earlier = try await earlier(draft) { return (earlier, []) }
        do {
            let changed = try await withOpenRoom(draft.roomID, isOpen: isOpen) {
                try await withLockedRoom(draft.roomID) { try await $0.post(draft, isOpen: isOpen) }
            }
            guard let changed else { return (.refused(.roomNotFound), []) }
            return (changed.result, changed.events)
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            // The same key in another room at the same moment.
            guard let earlier = try await earlier(draft) else { throw error }
            return (earlier, [])
        }
    }

    private func earlier(_ draft: MessageDraft) async throws -> PostOutcome? {
        try await LockedRoom.earlier(draft) { try await database.query($0, $1) }
    }
}
