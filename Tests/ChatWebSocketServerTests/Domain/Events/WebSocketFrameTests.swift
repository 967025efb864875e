import ChatEvents
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

/// Frames to clients, to the bit (RFC 6455 section 5.2).
@Suite(.timeLimit(.minutes(2))) struct WebSocketFrameTests {
    @Test(
        arguments: [
            (0, [0x81, 0]), (125, [0x81, 125]), (126, [0x81, 126, 0, 126]), (65_535, [0x81, 126, 0xFF, 0xFF]),
            (65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]), (65_537, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 1]),
        ] as [(Int, [UInt8])])
    func `text is one final frame without a mask, its length written the short way`(size: Int, header: [UInt8]) {
        let payload = [UInt8](repeating: 0x61, count: size)
        #expect(Array(buffer: WebSocketFrame.text(payload)) == header + payload)
        #expect(WebSocketFrame.text(ByteBuffer(bytes: payload)) == WebSocketFrame.text(payload))
    }

    @Test func `control frames`() {
        #expect(Array(buffer: WebSocketFrame.ping()) == [0x89, 0])
        #expect(Array(buffer: WebSocketFrame.pong(ByteBuffer(bytes: [1, 2]))) == [0x8A, 2, 1, 2])
        #expect(
            Array(buffer: WebSocketFrame.close(.restart, reason: "bye")) == [0x88, 5, 0x03, 0xF4] + Array("bye".utf8))
    }

    @Test func `a reason is cut to 123 bytes, and never within a character`() {
        let frame = Array(buffer: WebSocketFrame.close(.normal, reason: String(repeating: "ä", count: 100)))
        #expect(frame[1] == 124)
        #expect(frame.dropFirst(4) == Array(String(repeating: "ä", count: 61).utf8)[...])
        let longest = String(repeating: "x", count: 123)
        #expect(Array(buffer: WebSocketFrame.close(.normal, reason: longest)).dropFirst(4) == Array(longest.utf8)[...])
    }

    // MARK: Events as frames

    @Test func `an event is framed once, with the fields that delivery needs`() throws {
        let joined = RoomEvent(
            roomID: hall, seq: 9,
            change: .memberJoined(UserID(5), role: .member, by: UserID(1), at: Timestamp(microseconds: 0)))
        let fromLog = MessageEvent(joined)
        let fromRedis = try #require(MessageEvent(json: ByteBuffer(bytes: joined.jsonBytes), of: hall))
        for event in [fromLog, fromRedis] {
            #expect(event.seq == 9)
            #expect(event.type == .memberJoined)
            #expect(event.userID == UserID(5))
            #expect(event.frame == WebSocketFrame.text(joined.jsonBytes))
        }
    }

    @Test func `anything but a JSON object is no event`() {
        #expect(MessageEvent(json: ByteBuffer(string: "[]"), of: hall) == nil)
        #expect(MessageEvent(json: ByteBuffer(), of: hall) == nil)
        let large = #"{"a":""# + String(repeating: "x", count: EventEnvelope.maximumSize) + #""}"#
        #expect(MessageEvent(json: ByteBuffer(string: large), of: hall) == nil)
    }

    @Test func `a seq in another room's log is refused, and an event without seq is accepted as it is`() {
        func event(_ json: String) -> MessageEvent? { MessageEvent(json: ByteBuffer(string: json), of: hall) }
        #expect(event(#"{"seq":1,"roomId":"cellar"}"#) == nil)
        #expect(event(#"{"seq":1,"roomId":"hall"}"#)?.seq == 1)
        #expect(event(#"{"seq":1}"#)?.seq == 1)
        #expect(event(#"{"roomId":"cellar"}"#) != nil)
        // A user's channel has no log.
        #expect(MessageEvent(json: ByteBuffer(string: #"{"seq":1,"roomId":"cellar"}"#), of: nil) == nil)
        #expect(MessageEvent(json: ByteBuffer(string: #"{"roomId":"cellar"}"#), of: nil) != nil)
    }
}

extension [UInt8] {
    init(buffer: ByteBuffer) { self.init(buffer.readableBytesView) }
}

@Suite(.timeLimit(.minutes(2))) struct CloseCodeTests {
    @Test func `the codes are the contract's`() {
        #expect(
            CloseCode.allCases.map(\.rawValue) == [
                1000, 1001, 1002, 1003, 1007, 1006, 1008, 1009, 1012, 1013, 4401, 4403, 4404, 4408, 4409, 4429,
            ])
    }

    /// RFC 6455 section 7.4 and IANA's registry of close codes.
    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    func `a peer may send codes that are registered or its own`(code: UInt16) {
        #expect(CloseCode.isValidFromPeer(code))
    }

    @Test(arguments: [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
    func `a peer may not send reserved or unassigned codes`(code: UInt16) {
        #expect(!CloseCode.isValidFromPeer(code))
    }
}
