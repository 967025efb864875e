import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct CursorTests {
    @Test(arguments: [
        ["1"], ["", ""], ["2026-11-22T16:56:46.123456Z", "room-1"], ["ä😀?>", "~~~", "x"], ["\u{1F}", "\u{301}\",["],
    ])
    func `a cursor is read as it was written`(parts: [String]) throws {
        let text = Cursor(of: "things", parts).text
        #expect(text.utf8.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=") })
        #expect(try Cursor(text: text, of: "things", partCount: parts.count).parts == parts)
    }

    @Test(arguments: [
        "", "?", "a", "äöü", "====", "/w8", "gICA", "AAA", "W10", "WzFd", "WyJ0aGluZ3MiLDFd",
        "WyJ0aGluZ3MiLCJcdTAwMDAiXQ",
    ])
    func `text that is no cursor is refused`(text: String) {
        #expect(throws: ChatError.invalid("cursor", "is not one that this list gave")) {
            try Cursor(text: text, of: "things", partCount: 1)
        }
    }

    @Test(arguments: ["0", "1795000000000000", "253402300799999999"])
    func `times are read as they were written`(microseconds: String) throws {
        #expect(String(try Cursor(of: "things", [microseconds]).timestamp(part: 0).microseconds) == microseconds)
    }

    /// PostgreSQL has no such times, or no list of ours has.
    @Test(arguments: [
        "", "x", "-1", "253402300800000000", "9223372036854775807", "-9223372036854775808", "99999999999999999999",
    ])
    func `parts that are no times are refused`(microseconds: String) {
        #expect(throws: ChatError.notFromThisList) { try Cursor(of: "things", [microseconds]).timestamp(part: 0) }
    }

    @Test func `another list's cursor is refused`() {
        func take(_ cursor: Cursor) throws { _ = try Cursor(text: cursor.text, of: "things", partCount: 1) }
        #expect(throws: Never.self) { try take(Cursor(of: "things", ["a"])) }
        #expect(throws: ChatError.self) { try take(Cursor(of: "things", ["a", "b"])) }
        #expect(throws: ChatError.self) { try take(Cursor(of: "things", [])) }
        #expect(throws: ChatError.self) { try take(Cursor(of: "users", ["a"])) }
    }

    @Test func `a page has a cursor only if there is more`() {
        struct Item: JSONEncodable {
            func write(to writer: inout JSONWriter) { writer.object { $0.member("n", Int64(1)) } }
        }
        let last = Page(items: [Item()], nextCursor: nil)
        #expect(String(decoding: last.jsonBytes, as: UTF8.self) == #"{"items":[{"n":1}]}"#)
        let more = Page(items: [Item](), nextCursor: Cursor(of: "l", ["a"]))
        #expect(String(decoding: more.jsonBytes, as: UTF8.self) == #"{"items":[],"nextCursor":"WyJsIiwiYSJd"}"#)
    }
}
