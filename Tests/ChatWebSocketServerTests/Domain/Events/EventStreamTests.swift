import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

/// The text of event streams, and its ids.
@Suite(.timeLimit(.minutes(1))) struct EventStreamTextTests {
    private func parse(_ buffers: ByteBuffer...) -> EventStreamParser {
        var parser = EventStreamParser()
        for buffer in buffers { parser.append(buffer.readableBytesView) }
        return parser
    }

    @Test func `an event has its very JSON text as data, and its id`() {
        let parser = parse(
            EventStreamFrame.message(#"{"a":"b: c"}"#.utf8, id: "17.abc-_9"),
            EventStreamFrame.message("{}".utf8, id: nil))
        #expect(
            parser.events == [
                .init(type: "message", data: #"{"a":"b: c"}"#, lastEventID: "17.abc-_9"),
                .init(type: "message", data: "{}", lastEventID: "17.abc-_9"),
            ])
        #expect(parser.faults.isEmpty)
    }

    @Test(arguments: ["{\n\"a\": 1\n}", "{\r\n\"a\": 1\r}", "\n{ }\n\n"])
    func `JSON with line breaks between its tokens stays one event of the same value`(json: String) throws {
        let parser = parse(EventStreamFrame.message(json.utf8, id: nil))
        let event = try #require(parser.events.first)
        #expect(parser.events.count == 1 && parser.faults.isEmpty)
        let value = try JSON(parsing: Array(json.utf8))
        #expect(try JSON(parsing: Array(event.data.utf8)) == value)
    }

    @Test func `an end for good is an event of its own type, and one that passes a reconnection time`() {
        let closed = parse(EventStreamFrame.close(CloseReason(.notAMember, "no longer \"a\"\nmember")))
        #expect(closed.events.map(\.type) == ["close"])
        #expect(closed.events.first?.data == #"{"code":4403,"reason":"no longer \"a\"\nmember"}"#)
        let ended = parse(EventStreamFrame.retry(milliseconds: 1_234), EventStreamFrame.comment)
        #expect(ended.retries == [1_234] && ended.events.isEmpty && ended.comments == [""])
    }

    @Test func `a session's events have no id but caught_up, which has that of its seq`() throws {
        let format = EventFormat.eventStream
        let expiring = format.encode(.tokenExpiring(expiresAt: Timestamp(microseconds: 0)))
        #expect(parse(expiring).lastEventID.isEmpty)
        #expect(parse(format.encode(.caughtUp(hall, seq: 0))).lastEventID == "0.")
        #expect(parse(format.encode(event(5))).lastEventID.hasPrefix("5"))
    }

    // MARK: Ids

    @Test(
        arguments: [
            ("17.abcdef", 17, "abcdef"), ("1.A-Z_09aaaaaaaaaa", 1, "A-Z_09aaaaaaaaaa"), ("17", 17, nil), ("0.", 0, nil),
            ("0", 0, nil), ("9223372036854775807", Seq.max, nil),
        ] as [(String, Seq, String?)])
    func `an id is a seq and a mark`(text: String, seq: Seq, mark: String?) throws {
        let id = try #require(EventStreamID(text))
        #expect(id == EventStreamID(seq: seq, mark: mark.flatMap { EventMark($0) }))
        #expect(EventStreamID(id.description) == id)
    }

    @Test(arguments: [
        "", ".", "17.", "0.abcdef", "-1", "+1", " 1", "1 ", "1.5", "1.abcde", "1.abcdefghijklmnopq", "1.abc def", "a",
        "1.abc.ef", "9223372036854775808", "1,1", "1.äbcdef", "１", "0x1", "null", "17.abcdef,18.abcdef",
    ])
    func `another text is none`(text: String) { #expect(EventStreamID(text) == nil) }

    @Test func `the last event id goes before the query`() throws {
        var client = ClientRequest(query: [("roomId", "a"), ("lastSeq", "1"), ("lastMark", "abcdef")])
        try client.resume(after: nil)
        try client.resume(after: "")
        #expect(client.query.map(\.value) == ["a", "1", "abcdef"])
        try client.resume(after: "17.AAAAAAAAAAA")
        #expect(client.query.map(\.key) == ["roomId", "lastSeq", "lastMark"])
        #expect(client.query.map(\.value) == ["a", "17", "AAAAAAAAAAA"])
        try client.resume(after: "0.")
        #expect(client.query.map(\.value) == ["a", "0"])
        #expect(throws: ChatError.invalid("Last-Event-ID", "must be \(EventStreamID.rule)")) {
            try client.resume(after: "x")
        }
    }
}
