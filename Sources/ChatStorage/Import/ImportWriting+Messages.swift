import ChatEvents
import CommonUtil
import PostgresClient

/// The new messages of a plan.
extension ImportWriting {
    /// The messages as they are stored.
    /// - Parameter messageIDs: as many, ascending.
    func stored(_ messageIDs: [MessageID]) -> [Message] {
        zip(plan.messages, messageIDs).map { new, messageID in
            let replyTo: MessageID? =
                switch new.replyTo {
                case .stored(let target): target
                case .new(let index): messageIDs[index]
                case nil: nil
                }
            return Message(
                messageID: messageID, roomID: new.message.roomID, seq: new.seq, senderID: new.senderID,
                type: new.message.type, contentJSON: new.message.contentJSON, sentAt: new.message.sentAt,
                replyToMessageID: replyTo)
        }
    }

    func messageCommands(_ messages: [Message]) -> [PostgresCommand] {
        guard !messages.isEmpty else { return [] }
        let roomIDs = PostgresParameter.textArray(messages.map(\.roomID.rawValue))
        let messageIDs = PostgresParameter.int8Array(messages.map(\.messageID.rawValue))
        let posts = Array(plan.lastPosts)
        return [
            PostgresCommand(
                Self.insertMessages, messageIDs, roomIDs, .int8Array(messages.map(\.seq)),
                .int8Array(messages.map(\.senderID.rawValue)), .textArray(messages.map(\.type.rawValue)),
                .textArray(messages.map(\.contentJSON)), .timestamptzArray(messages.map(\.sentAt)),
                .int8Array(messages.map { $0.replyToMessageID?.rawValue })),
            PostgresCommand(
                Self.insertImported, roomIDs, .textArray(plan.messages.map(\.message.importID)), messageIDs,
                .byteaArray(plan.messages.map(\.lineHash))),
            PostgresCommand(
                Self.markPosts, .textArray(posts.map(\.key.roomID.rawValue)),
                .int8Array(posts.map(\.key.userID.rawValue)), .int8Array(posts.map(\.value))),
        ]
    }

    /// The last new event of each room.
    func lastEvents(_ messages: [Message]) -> [RoomEvent] {
        plan.lastEvents.map { roomID, last in
            switch last {
            case .event(let index):
                RoomEvent(roomID: roomID, seq: plan.events[index].seq, change: plan.events[index].change)
            case .message(let index):
                RoomEvent(roomID: roomID, seq: messages[index].seq, change: .message(messages[index]))
            }
        }
    }

    static let drawMessageIDs = PostgresStatement(
        "SELECT nextval('messages_message_id_seq') FROM generate_series(1, $1::bigint)")
    private static let insertMessages = PostgresStatement(
        """
        INSERT INTO messages (message_id, room_id, seq, sender_id, type, content, sent_at, reply_to)
        SELECT * FROM unnest(
            $1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[],
            $8::bigint[])
        """)
    private static let insertImported = PostgresStatement(
        """
        INSERT INTO imported_messages (room_id, import_id, message_id, line_hash)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])
        """)
    // As a post does, a message of a member writes the mark only where it would fall too far behind.
    private static let markPosts = PostgresStatement(
        """
        UPDATE room_members SET last_read_seq = posts.seq
        FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS posts (room_id, user_id, seq)
        WHERE room_members.room_id = posts.room_id AND room_members.user_id = posts.user_id
            AND room_members.last_read_seq + \(StoredMark.window) < posts.seq
        """)
}
