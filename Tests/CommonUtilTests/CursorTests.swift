import CommonUtil
import Testing

@Suite struct CursorTests {
    @Test(arguments: [["1"], ["", ""], ["2026-11-22T16:56:46.123456Z", "room-1"], ["ä😀?>", "~~~", "x"]])
    func comesBackAsItWas(parts: [String]) throws {
        let text = Cursor(parts).text
        #expect(text.utf8.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=") })
        #expect(try Cursor(text: text, partCount: parts.count).parts == parts)
    }

    @Test(arguments: ["", "?", "a", "äöü", "====", "/w8", "gICA", "AAA"])
    func refusesWhatItDidNotMake(text: String) {
        #expect(throws: ChatError.invalid("cursor", "is not one that this list gave")) {
            try Cursor(text: text, partCount: 1)
        }
    }

    @Test func refusesAnotherListsCursor() {
        #expect(throws: ChatError.self) { try Cursor(text: Cursor(["a", "b"]).text, partCount: 1) }
        #expect(throws: ChatError.self) { try Cursor(text: Cursor(["a"]).text, partCount: 2) }
    }

    @Test func aPageNamesItsCursorOnlyIfThereIsMore() {
        struct Item: JSONEncodable {
            func write(to writer: inout JSONWriter) { writer.object { $0.member("n", Int64(1)) } }
        }
        let last = Page(items: [Item()], nextCursor: nil)
        #expect(String(decoding: last.jsonBytes, as: UTF8.self) == #"{"items":[{"n":1}]}"#)
        let more = Page(items: [Item](), nextCursor: Cursor(["a"]))
        #expect(String(decoding: more.jsonBytes, as: UTF8.self) == #"{"items":[],"nextCursor":"YQ"}"#)
    }
}
