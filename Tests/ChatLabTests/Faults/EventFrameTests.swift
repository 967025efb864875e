import NIOCore
import Testing

@testable import ChatLab

@Suite("What a fault's clients see of a frame", .timeLimit(.minutes(2)))
struct EventFrameTests {
    @Test("an event's kind, number and message, not those inside its payload")
    func event() {
        let text =
            #"{"contentJson":"{\"seq\":9,\"messageId\":8,\"eventType\":\"x\"}","eventType":"message_edited","#
            + #""messageId":17,"replyToMessageId":5,"seq":42}"#
        let frame = EventFrame(ByteBuffer(string: text))
        #expect(frame.kind == "message_edited")
        #expect(frame.seq == 42)
        #expect(frame.messageID == 17)
    }

    @Test("how long a server that stops wants one to stay away")
    func reconnect() {
        let frame = EventFrame(ByteBuffer(string: #"{"eventType":"reconnect","afterMs":350,"reason":"restart"}"#))
        #expect(frame.afterMilliseconds == 350)
    }

    @Test("whom an event about a member is about, not who caused it")
    func member() {
        let text = #"{"eventType":"member_left","seq":7,"roomId":"r","userId":9001,"actorId":3}"#
        let sighting = EventFrame(ByteBuffer(string: text)).sighting
        #expect(sighting?.seq == 7)
        #expect(sighting?.identity == .init(kind: History.leaveKind, userID: 9001))
    }

    @Test("how far a user has read, which is no event of the log")
    func read() {
        let text = #"{"eventType":"read","roomId":"r","userId":1004,"lastReadSeq":80}"#
        let frame = EventFrame(ByteBuffer(string: text))
        #expect(frame.userID == 1004)
        #expect(frame.lastReadSeq == 80)
        #expect(frame.sighting == nil)
    }

    @Test("what was wrong with what it asked for")
    func error() {
        let text = #"{"eventType":"error","code":"unavailable","message":"try again later"}"#
        #expect(EventFrame(ByteBuffer(string: text)).code == "unavailable")
    }

    @Test("what is not there is nil", arguments: ["", "{}", #"{"seq":"x"}"#, #"{"eventType"#])
    func absent(text: String) {
        let frame = EventFrame(ByteBuffer(string: text))
        #expect(frame.kind == nil)
        #expect(frame.seq == nil)
        #expect(frame.messageID == nil)
    }
}
