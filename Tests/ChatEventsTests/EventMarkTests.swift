import CommonUtil
import Testing

@testable import ChatEvents

@Suite(.timeLimit(.minutes(1))) struct EventMarkTests {
    private static let room = RoomID(verified: "general")
    private static let at = Timestamp(microseconds: 1_795_366_606_123_999)

    private func message(
        id: Int64 = 77, in roomID: RoomID = room, seq: Seq = 7, by senderID: Int64 = 5, at time: Timestamp = at,
        key: String? = nil
    ) -> Message {
        Message(
            messageID: MessageID(id), roomID: roomID, seq: seq, senderID: UserID(senderID), type: .text,
            contentJSON: #"{"text":"Hello"}"#, sentAt: time, clientMessageID: key)
    }

    private func mark(_ change: RoomChange, in roomID: RoomID = room, seq: Seq = 9) -> EventMark {
        RoomEvent(roomID: roomID, seq: seq, change: change).mark
    }

    @Test func `marks stay the same from release to release`() {
        let by = UserID(1)
        let marks = [
            message().mark, message(key: "key-1").mark, mark(.messageEdited(message(), by: UserID(5), at: Self.at)),
            mark(.messageDeleted(message(), by: by, at: Self.at)),
            mark(.memberJoined(UserID(5), role: .admin, by: by, at: Self.at)),
            mark(.memberLeft(UserID(5), by: by, at: Self.at)),
            mark(.memberRoleChanged(UserID(5), role: .owner, by: by, at: Self.at)),
            mark(.roomUpdated(name: "A", by: by, at: Self.at)), mark(.roomArchived(name: "A", by: by, at: Self.at)),
        ]
        #expect(
            marks.map(\.description) == [
                "dAM5QgroYGU", "mKbgrILX2QA", "ngPABPjk_AI", "J3Glxur8Zis", "zEmG62tJhZ8", "8SCJEXdDC9s", "NfibiRsvAic",
                "62KoYMV5FkE", "PK-2bdHzl9Q",
            ])
        #expect(Set(marks).count == marks.count)
    }

    @Test func `whatever an event's row holds for good changes its mark`() {
        let later = Timestamp(microseconds: Self.at.microseconds + 1)
        let other = RoomID(verified: "general2")
        let messages = [
            message(), message(id: 78), message(in: other), message(seq: 8), message(by: 6), message(at: later),
            message(key: "k"), message(key: "k0"),
        ]
        #expect(Set(messages.map(\.mark)).count == messages.count)
        let changes = [
            mark(.memberLeft(UserID(5), by: UserID(1), at: Self.at)),
            mark(.memberLeft(UserID(6), by: UserID(1), at: Self.at)),
            mark(.memberLeft(UserID(5), by: UserID(2), at: Self.at)),
            mark(.memberLeft(UserID(5), by: UserID(1), at: later)),
            mark(.memberLeft(UserID(5), by: UserID(1), at: Self.at), in: other),
            mark(.memberLeft(UserID(5), by: UserID(1), at: Self.at), seq: 10),
        ]
        #expect(Set(changes).count == changes.count)
    }

    @Test func `content, edits and a deletion do not change the mark of any event about a message`() {
        let posted = message(key: "k")
        let changed = Message(
            messageID: posted.messageID, roomID: posted.roomID, seq: posted.seq, senderID: posted.senderID,
            type: posted.type, contentJSON: "{}", sentAt: posted.sentAt, updatedAt: Timestamp(microseconds: 1),
            clientMessageID: "k", isEdited: true, isDeleted: true)
        #expect(changed.mark == posted.mark)
        let by = UserID(5)
        #expect(mark(.messageEdited(posted, by: by, at: Self.at)) == mark(.messageEdited(changed, by: by, at: Self.at)))
        #expect(
            mark(.messageEdited(posted, by: by, at: Self.at)) != mark(.messageDeleted(posted, by: by, at: Self.at)))
        // The name of a room is that of now in no event, but a name is not what tells two events apart.
        #expect(
            mark(.roomUpdated(name: "A", by: by, at: Self.at)) == mark(.roomUpdated(name: "B", by: by, at: Self.at)))
    }

    @Test func `a mark is read back from its text`() {
        for seq in 1...200 {
            let mark = message(seq: Seq(seq)).mark
            #expect(mark.description.utf8.count == 11)
            #expect(EventMark(mark.description) == mark)
        }
    }

    @Test(arguments: ["abcdef", "AAAAAAAAAAB", "0123456789-_abcd", "------"])
    func `a well-formed mark of another form is another log's`(text: String) throws {
        let mark = try #require(EventMark(text))
        #expect(mark == EventMark(text))
        #expect(mark.description != text)
        #expect(mark != message().mark)
    }

    @Test(arguments: ["", "abcde", "0123456789-_abcde", "abc def", "abcdef=", "abcdé1", "abc+def", "\"abcdef\""])
    func `anything else is no mark`(text: String) {
        #expect(EventMark(text) == nil)
    }

    @Test(arguments: [#""mark":5"#, #""mark":null"#, #""mark":"x""#, #""mark":"\u0041bcdefg""#, #""marks":"abcdef""#])
    func `an event whose mark is none is an event without one`(member: String) throws {
        let envelope = try #require(EventEnvelope(Array(#"{"seq":3,\#(member)}"#.utf8)))
        #expect(envelope.seq == 3)
        #expect(envelope.mark == nil)
    }

    @Test func `the hash is SipHash-1-3`() {
        // The reference vectors of whole words, with the key 00 01 … 0f.
        let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
        var hash = SipHash(key: key)
        #expect(hash.finalized() == 0xABAC_0158_050F_C4DC)
        hash.combine(0x0706_0504_0302_0100 as UInt64)
        #expect(hash.finalized() == 0x3690_9511_8D29_9A8E)
        hash.combine(0x0F0E_0D0C_0B0A_0908 as UInt64)
        #expect(hash.finalized() == 0xCC4F_DD1A_7D90_8B66)
    }
}
