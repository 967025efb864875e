import NIOCore
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct EventFrameTests {
    @Test func `an event's kind, number and message are read, not those inside its payload`() {
        let text =
            #"{"contentJson":"{\"seq\":9,\"messageId\":8,\"eventType\":\"x\"}","eventType":"message_edited","#
            + #""messageId":17,"replyToMessageId":5,"seq":42}"#
        let frame = EventFrame(ByteBuffer(string: text))
        #expect(frame.kind == "message_edited")
        #expect(frame.seq == 42)
        #expect(frame.messageID == 17)
    }

    @Test func `the delay of a reconnect is read`() {
        let frame = EventFrame(ByteBuffer(string: #"{"eventType":"reconnect","afterMs":350,"reason":"restart"}"#))
        #expect(frame.afterMilliseconds == 350)
    }

    @Test func `the user of an event about a member is its member, not its actor`() {
        let text = #"{"eventType":"member_left","seq":7,"roomId":"r","userId":9001,"actorId":3}"#
        let sighting = EventFrame(ByteBuffer(string: text)).sighting
        #expect(sighting?.seq == 7)
        #expect(sighting?.identity == .init(kind: History.leaveKind, userID: 9001))
    }

    @Test func `a read mark is read, and is no event of the log`() {
        let text = #"{"eventType":"read","roomId":"r","userId":1004,"lastReadSeq":80}"#
        let frame = EventFrame(ByteBuffer(string: text))
        #expect(frame.userID == 1004)
        #expect(frame.lastReadSeq == 80)
        #expect(frame.sighting == nil)
    }

    @Test func `the code of an error is read`() {
        let text = #"{"eventType":"error","code":"unavailable","message":"try again later"}"#
        #expect(EventFrame(ByteBuffer(string: text)).code == "unavailable")
    }

    @Test(arguments: ["", "{}", #"{"seq":"x"}"#, #"{"eventType"#])
    func `what is not there is nil`(text: String) {
        let frame = EventFrame(ByteBuffer(string: text))
        #expect(frame.kind == nil)
        #expect(frame.seq == nil)
        #expect(frame.messageID == nil)
    }
}
