import NIOCore
import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct FrameFieldsTests {
    @Test func `the event's own seq is found, not one inside the payload's text`() {
        let text = #"{"contentJson":"{\"seq\":99,\"sentNanos\":123456789012}","eventType":"message","seq":42}"#
        let fields = FrameFields(ByteBuffer(string: text))
        #expect(fields.seq == 42)
        #expect(fields.sentNanos == 123_456_789_012)
    }

    @Test(arguments: ["", "{}", #"{"seq":"x"}"#, #"{"eventType":"typing"}"#, #"{"seq":99999999999999999999}"#])
    func `an event without them has none`(text: String) {
        let fields = FrameFields(ByteBuffer(string: text))
        #expect(fields.seq == nil)
        #expect(fields.sentNanos == nil)
    }
}
