import ChatEvents
import CommonUtil
import Testing

/// To the letter of the contract's table: names, order, optional fields left out.
@Suite(.timeLimit(.minutes(2))) struct EventJSONTests {
    private let room = RoomID(verified: "general")
    private let at = Timestamp(microseconds: 1_795_366_606_123_999)
    private let time = "2026-11-22T16:56:46.123Z"

    private func text(_ event: some JSONEncodable) -> String { String(decoding: event.jsonBytes, as: UTF8.self) }

    /// The event's JSON, in which its mark is `MARK`.
    private func text(_ change: RoomChange) -> String {
        let event = RoomEvent(roomID: room, seq: 9, change: change)
        return text(event).replacing(event.mark.description, with: "MARK")
    }

    private var edited: RoomChange { .messageEdited(fullMessage, by: UserID(5), at: at) }

    private var message: Message {
        Message(
            messageID: MessageID(77), roomID: room, seq: 7, senderID: UserID(5), type: .text,
            contentJSON: #"{"text":"Hello"}"#, sentAt: at)
    }

    private var fullMessage: Message {
        Message(
            messageID: MessageID(78), roomID: room, seq: 8, senderID: UserID(5), type: .richContent,
            contentJSON: #"{"a":"\"ä\""}"#, sentAt: at, updatedAt: Timestamp(microseconds: 1_795_366_607_000_000),
            replyToMessageID: MessageID(77), clientMessageID: "key-1", isEdited: true)
    }

    // MARK: Messages

    @Test func `a message without optional fields`() {
        #expect(
            text(.message(message))
                == #"{"eventType":"message","messageId":77,"roomId":"general","seq":9,"mark":"MARK","senderId":5,"#
                + #""messageType":"text","contentJson":"{\"text\":\"Hello\"}","status":"sent","sentAt":"\#(time)","#
                + #""isEdited":false,"isDeleted":false}"#)
    }

    @Test func `an edit with every field carries the seq of the change and the id of the message`() {
        #expect(
            text(edited)
                == #"{"eventType":"message_edited","messageId":78,"roomId":"general","seq":9,"mark":"MARK","senderId":5,"#
                + #""messageType":"rich_content","contentJson":"{\"a\":\"\\\"ä\\\"\"}","status":"sent","#
                + #""sentAt":"\#(time)","replyToMessageId":77,"clientMessageId":"key-1","#
                + #""isEdited":true,"isDeleted":false}"#)
    }

    @Test func `a deletion has nothing of the content`() {
        let deleted = Message(
            messageID: MessageID(77), roomID: room, seq: 7, senderID: UserID(5), type: .text,
            contentJSON: #"{"text":"secret"}"#, sentAt: at, isDeleted: true)
        #expect(deleted.contentJSON == "{}")
        #expect(
            text(.messageDeleted(deleted, by: UserID(1), at: at))
                == #"{"eventType":"message_deleted","messageId":77,"roomId":"general","seq":9,"mark":"MARK","senderId":5,"#
                + #""messageType":"text","contentJson":"{}","status":"sent","sentAt":"\#(time)","#
                + #""isEdited":false,"isDeleted":true}"#)
    }

    @Test func `the answer of REST has the message's own seq and updatedAt`() {
        #expect(
            text(fullMessage)
                == #"{"messageId":78,"roomId":"general","seq":8,"mark":"\#(fullMessage.mark)","senderId":5,"#
                + #""messageType":"rich_content","contentJson":"{\"a\":\"\\\"ä\\\"\"}","status":"sent","#
                + #""sentAt":"\#(time)","replyToMessageId":77,"clientMessageId":"key-1","#
                + #""isEdited":true,"isDeleted":false,"updatedAt":"2026-11-22T16:56:47.000Z"}"#)
        #expect(!text(message).contains("updatedAt"))
    }

    // MARK: Members and rooms

    @Test func `members`() {
        let by = UserID(1)
        #expect(
            text(.memberJoined(UserID(5), role: .admin, by: by, at: at))
                == #"{"eventType":"member_joined","seq":9,"mark":"MARK","roomId":"general","userId":5,"role":"admin","actorId":1,"#
                + #""at":"\#(time)"}"#)
        #expect(
            text(.memberLeft(UserID(5), by: by, at: at))
                == #"{"eventType":"member_left","seq":9,"mark":"MARK","roomId":"general","userId":5,"actorId":1,"at":"\#(time)"}"#
        )
        #expect(
            text(.memberRoleChanged(UserID(5), role: .owner, by: by, at: at))
                == #"{"eventType":"member_role_changed","seq":9,"mark":"MARK","roomId":"general","userId":5,"role":"owner","#
                + #""actorId":1,"at":"\#(time)"}"#)
    }

    @Test func `rooms`() {
        let by = UserID(1)
        #expect(
            text(.roomUpdated(name: "A \"new\" name\n", by: by, at: at))
                == #"{"eventType":"room_updated","seq":9,"mark":"MARK","roomId":"general","name":"A \"new\" name\n","actorId":1,"#
                + #""at":"\#(time)"}"#)
        #expect(
            text(.roomArchived(name: "General", by: by, at: at))
                == #"{"eventType":"room_archived","seq":9,"mark":"MARK","roomId":"general","name":"General","actorId":1,"#
                + #""at":"\#(time)"}"#)
    }

    // MARK: Without seq

    @Test func `what passes by`() {
        #expect(
            text(EphemeralEvent.read(room, UserID(5), lastReadSeq: 3, at: at))
                == #"{"eventType":"read","roomId":"general","userId":5,"lastReadSeq":3,"at":"\#(time)"}"#)
        #expect(
            text(EphemeralEvent.typing(room, UserID(5), isTyping: true))
                == #"{"eventType":"typing","roomId":"general","userId":5,"typing":true}"#)
    }

    @Test func `events of a session have the members of the contract`() {
        #expect(
            text(SessionEvent.ready(sessionID: "s-1", room, UserID(5), seq: 0, heartbeatSeconds: 25))
                == #"{"eventType":"ready","sessionId":"s-1","roomId":"general","userId":5,"seq":0,"#
                + #""heartbeatSeconds":25}"#)
        #expect(
            text(SessionEvent.ready(sessionID: "s-1", room, nil, seq: 4, heartbeatSeconds: 25))
                == #"{"eventType":"ready","sessionId":"s-1","roomId":"general","seq":4,"heartbeatSeconds":25}"#)
        #expect(
            text(SessionEvent.ready(sessionID: "s-1", room, nil, seq: 8, mark: fullMessage.mark, heartbeatSeconds: 25))
                == #"{"eventType":"ready","sessionId":"s-1","roomId":"general","seq":8,"mark":"\#(fullMessage.mark)","#
                + #""heartbeatSeconds":25}"#)
        #expect(
            text(SessionEvent.caughtUp(room, seq: 0)) == #"{"eventType":"caught_up","roomId":"general","seq":0}"#)
        #expect(
            text(SessionEvent.caughtUp(room, seq: 8, mark: fullMessage.mark))
                == #"{"eventType":"caught_up","roomId":"general","seq":8,"mark":"\#(fullMessage.mark)"}"#)
        #expect(
            text(SessionEvent.tokenExpiring(expiresAt: at)) == #"{"eventType":"token_expiring","expiresAt":"\#(time)"}"#
        )
        #expect(
            text(SessionEvent.reconnect(afterMs: 250, reason: "restart"))
                == #"{"eventType":"reconnect","afterMs":250,"reason":"restart"}"#)
        #expect(text(SessionEvent.pong) == #"{"eventType":"pong"}"#)
        #expect(
            text(SessionEvent.error(FrameError(.wrongUser, "no")))
                == #"{"eventType":"error","code":"wrong_user","message":"no"}"#)
    }

    @Test func `the creation of a room has its first members, and 0 where nobody made it`() {
        func room(by actorID: UserID?, _ members: [RoomCreated.Member]) -> RoomCreated {
            RoomCreated(
                roomID: self.room, name: "A \"room\"", type: "group", memberCount: 2, members: members,
                actorID: actorID, at: at)
        }
        let members: [RoomCreated.Member] = [
            .init(userID: UserID(7), role: .owner), .init(userID: UserID(9), role: .member),
        ]
        let made = room(by: UserID(7), members)
        #expect(
            text(Change.roomCreated(made))
                == #"{"eventType":"room_created","roomId":"\#(self.room)","name":"A \"room\"","type":"group","#
                + #""memberCount":2,"members":[{"userId":7,"role":"owner"},{"userId":9,"role":"member"}],"#
                + #""actorId":7,"at":"\#(at)"}"#)
        #expect(text(room(by: nil, [])).contains(#""members":[],"actorId":0,"#))
    }

    // MARK: Round trip

    @Test func `what is published is recognised`() throws {
        let event = RoomEvent(roomID: room, seq: 9, change: .memberLeft(UserID(5), by: UserID(1), at: at))
        let envelope = try #require(EventEnvelope(event.jsonBytes))
        #expect(envelope.seq == 9)
        #expect(envelope.type == .memberLeft)
        #expect(envelope.userID == UserID(5))
        #expect(envelope.mark == event.mark)
    }

    @Test func `every type of event has the contract's word`() {
        #expect(
            EventType.allCases.map(\.rawValue) == [
                "message", "message_edited", "message_deleted", "member_joined", "member_left", "member_role_changed",
                "room_updated", "room_archived", "room_created", "read", "typing", "ready", "caught_up",
                "token_expiring", "reconnect", "pong", "error", "rooms", "room_reset", "room_skipped", "synced",
                "room_added",
                "room_removed", "room_changed", "cursor", "user_state",
            ])
        #expect(
            MessageType.allCases.map(\.rawValue) == [
                "text", "image", "file", "system", "video", "audio", "rich_content", "location", "sticker",
            ])
    }
}
