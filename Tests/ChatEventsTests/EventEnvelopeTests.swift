import ChatEvents
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct EventEnvelopeTests {
    private func envelope(_ text: String) -> EventEnvelope? { EventEnvelope(Array(text.utf8)) }

    // MARK: What is an event

    @Test(arguments: [
        "{}", " \n{ }\t\r ", #"{"a":1}"#, #"{"a":[]}"#, #"{"a":[1,2.5,-0,1e9,1E+2,3e-7,0.1]}"#,
        #"{"a":{"b":{"c":[{"d":null},true,false]}}}"#, #"{"a":"\"\\\/\b\f\n\r\t\u00e4"}"#, #"{"":""}"#,
        #"{"a":"ä€𝄞"}"#, #"{"a":"\ud83d\ude00"}"#, #"{ "a" : 1 , "b" : [ ] }"#,
    ])
    func `takes a JSON object`(text: String) {
        #expect(envelope(text) != nil)
    }

    @Test(arguments: [
        "", " ", "[]", "[1]", "1", "null", "true", #""text""#, "{", "}", "{}}", "{}{}", "{} x", "{}\u{0}", "\u{FEFF}{}",
        #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{,}", #"{"a":1 "b":2}"#, #"{"a":1,,"b":2}"#, "{a:1}", "{'a':1}",
        #"{"a":01}"#, #"{"a":+1}"#, #"{"a":.5}"#, #"{"a":1.}"#, #"{"a":1e}"#, #"{"a":-}"#, #"{"a":0x1}"#,
        #"{"a":NaN}"#, #"{"a":tru}"#, #"{"a":nulll}"#, #"{"a":True}"#, #"{"a":[1,]}"#, #"{"a":[1}"#, #"{"a":{]}"#,
        #"{"a":"}"#, #"{"a":"\"}"#, #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":"\u12g4"}"#, "{\"a\":\"\n\"}",
        "{\"a\":\"\u{0}\"}", #"{"a":1}"# + "//", #"{"a":1/**/}"#, #"{"seq":1"#,
    ])
    func `refuses other texts`(text: String) {
        #expect(envelope(text) == nil)
    }

    @Test(
        arguments: [
            [0xFF], [0xC3], [0xC3, 0x28], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func `refuses bad UTF-8 wherever it stands`(bytes: [UInt8]) {
        #expect(EventEnvelope(Array(#"{"a":""#.utf8) + bytes + Array(#""}"#.utf8)) == nil)
        #expect(EventEnvelope(Array(#"{""#.utf8) + bytes + Array(#"":1}"#.utf8)) == nil)
    }

    @Test func `takes 64 KiB and not a byte more`() {
        let frame = #"{"a":""}"#
        let filling = String(repeating: "x", count: EventEnvelope.maximumSize - frame.utf8.count)
        #expect(envelope(#"{"a":"\#(filling)"}"#) != nil)
        #expect(envelope(#"{"a":"\#(filling)x"}"#) == nil)
        #expect(envelope("{}" + String(repeating: " ", count: EventEnvelope.maximumSize - 2)) != nil)
        #expect(envelope("{}" + String(repeating: " ", count: EventEnvelope.maximumSize - 1)) == nil)
    }

    /// A message's content is at most 64 KiB, and stands in the event as a string of a string.
    @Test func `takes every event that a log can hold`() throws {
        let content = #"{"a":""# + String(repeating: #"\""#, count: 32_764) + #""}"#
        #expect(content.utf8.count == 65_536)
        let message = Message(
            messageID: MessageID(Int64.max), roomID: RoomID(verified: String(repeating: "r", count: 64)), seq: 1,
            senderID: UserID(Int64.max), type: .richContent, contentJSON: content, sentAt: .now,
            replyToMessageID: MessageID(Int64.max), clientMessageID: String(repeating: "\u{1}", count: 64))
        let json = RoomEvent(
            roomID: message.roomID, seq: Int64.max,
            change: .messageEdited(message, by: message.senderID, at: message.sentAt)
        ).jsonBytes
        #expect(json.count > 131_072)
        #expect(try #require(EventEnvelope(json)).seq == Int64.max)
        let filling = String(repeating: "x", count: 140_000)
        #expect(envelope(#"{"seq":1,"a":"\#(filling)"}"#) == nil)
    }

    @Test func `bounds the nesting as the parser of requests does`() {
        func nested(_ depth: Int) -> String {
            #"{"a":"# + String(repeating: "[", count: depth) + String(repeating: "]", count: depth) + "}"
        }
        #expect(envelope(nested(JSONParser.maximumDepth)) != nil)
        #expect((try? JSONParser.parse(Array(nested(JSONParser.maximumDepth).utf8))) != nil)
        #expect(envelope(nested(JSONParser.maximumDepth + 1)) == nil)
        #expect((try? JSONParser.parse(Array(nested(JSONParser.maximumDepth + 1).utf8))) == nil)
        #expect(envelope(#"{"a":"# + String(repeating: #"{"a":"#, count: 30_000)) == nil)
    }

    @Test func `agrees with the parser of requests on what is JSON`() {
        // Every text that comes of leaving one byte out of a good one, or putting another in its place.
        let good = Array(#"{"seq":12,"a":[true,null,-1.5e+3,"\u00e4\n"],"userId":7,"eventType":"read"}"#.utf8)
        for index in good.indices {
            for replacement in [
                [], [UInt8(ascii: "0")], [UInt8(ascii: "\"")], [UInt8(ascii: "}")], [UInt8(ascii: ",")],
            ] {
                var text = good
                text.replaceSubrange(index...index, with: replacement)
                var isObject = false
                if case .object? = try? JSONParser.parse(text) { isObject = true }
                #expect((EventEnvelope(text) != nil) == isObject, "\(String(decoding: text, as: UTF8.self))")
            }
        }
    }

    // MARK: What is picked up

    @Test(
        arguments: [
            (#"{"seq":1}"#, 1), (#"{"seq":9223372036854775807}"#, Int64.max), (#"{"a":{"seq":5}}"#, nil),
            (#"{"a":[{"seq":5}],"seq":6}"#, 6), (#"{"seq":5,"seq":6}"#, 6), (#"{"Seq":1}"#, nil), (#"{"seq ":1}"#, nil),
            (#"{"\u0073eq":1}"#, nil), (#"{"a":"\"seq\":7"}"#, nil), (#"{"a":"x","seq" : 7 }"#, 7),
            (#"{"seq\"":1,"a":2}"#, nil), (#"{"s\\eq":1,"seq":2}"#, 2),
        ] as [(String, Int64?)])
    func `the seq at the top level, if it is a positive 64-bit integer`(text: String, seq: Int64?) throws {
        #expect(try #require(envelope(text)).seq == seq)
    }

    @Test(arguments: [
        #""5""#, "1e3", "1.0", "2.0", "-1", "0", "-0", "null", "true", "[1]", #"{"seq":1}"#, "9223372036854775808",
        "99999999999999999999999999999999",
    ])
    func `an event whose seq is no positive 64-bit integer is refused`(seq: String) {
        #expect(envelope(#"{"eventType":"message","seq":\#(seq)}"#) == nil)
        #expect(envelope(#"{"seq":\#(seq),"seq":5}"#) == nil)
        #expect(envelope(#"{"seq":5,"seq":\#(seq)}"#) == nil)
    }

    @Test(
        arguments: [
            (#"{"typing":true}"#, true), (#"{"typing":false}"#, false), (#"{"typing":1}"#, false), ("{}", nil),
        ] as [(String, Bool?)])
    func `reads whether the user types`(text: String, isTyping: Bool?) throws {
        #expect(try #require(envelope(text)).isTyping == isTyping)
    }

    @Test(
        arguments: [
            (#"{"eventType":"message"}"#, .message), (#"{"eventType":"typing","seq":1}"#, .typing),
            (#"{"eventType":"weather"}"#, nil), (#"{"eventType":""}"#, nil), (#"{"eventType":1}"#, nil),
            (#"{"eventType":null}"#, nil), (#"{"a":{"eventType":"read"}}"#, nil),
            (#"{"eventType":"read","eventType":"x"}"#, nil),
            (#"{"eventType":["read"]}"#, nil), ("{}", nil),
        ] as [(String, EventType?)])
    func `the type, if it is one of ours`(text: String, type: EventType?) throws {
        #expect(try #require(envelope(text)).type == type)
    }

    @Test(
        arguments: [
            (#"{"userId":7}"#, UserID(7)), (#"{"userId":"7"}"#, nil), (#"{"userId":0}"#, nil),
            (#"{"userId":7.0}"#, nil),
            (#"{"at":{"userId":7}}"#, nil),
        ] as [(String, UserID?)])
    func `the user, if it is a positive integer`(text: String, userID: UserID?) throws {
        #expect(try #require(envelope(text)).userID == userID)
    }
}
