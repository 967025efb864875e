import NIOCore
import Testing

@testable import ChatCommand

@Suite("What a fault's clients see of a frame")
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

    @Test("what is not there is nil", arguments: ["", "{}", #"{"seq":"x"}"#, #"{"eventType"#])
    func absent(text: String) {
        let frame = EventFrame(ByteBuffer(string: text))
        #expect(frame.kind == nil)
        #expect(frame.seq == nil)
        #expect(frame.messageID == nil)
    }
}
