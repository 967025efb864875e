import NIOCore
import Testing

@testable import ChatLab

@Suite("The fields of a frame", .timeLimit(.minutes(2)))
struct FrameFieldsTests {
    @Test("the event's own seq is found, not one inside the payload's text")
    func fields() {
        let text = #"{"contentJson":"{\"seq\":99,\"sentNanos\":123456789012}","eventType":"message","seq":42}"#
        let fields = FrameFields(ByteBuffer(string: text))
        #expect(fields.seq == 42)
        #expect(fields.sentNanos == 123_456_789_012)
    }

    @Test("an event without them has none", arguments: ["", "{}", #"{"seq":"x"}"#, #"{"eventType":"typing"}"#])
    func absent(text: String) {
        let fields = FrameFields(ByteBuffer(string: text))
        #expect(fields.seq == nil)
        #expect(fields.sentNanos == nil)
    }
}
