import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct PostedMessageTests {
    @Test(arguments: [nil, "k-1"] as [String?])
    func `its two texts are those of the message and of its event`(key: String?) {
        let message = Message(
            messageID: MessageID(7), roomID: RoomID(verified: "hall"), seq: 3, senderID: UserID(2), type: .text,
            contentJSON: #"{"text":"\"é\""}"#, sentAt: Timestamp(microseconds: 1_700_000_000_000_000),
            replyToMessageID: key.map { _ in MessageID(5) }, clientMessageID: key)
        let posted = PostedMessage(message)
        #expect(posted.messageJSON == message.jsonBytes)
        #expect(posted.eventJSON == posted.event.jsonBytes)
        #expect(posted.event == RoomEvent(roomID: message.roomID, seq: 3, change: .message(message)))
    }
}
