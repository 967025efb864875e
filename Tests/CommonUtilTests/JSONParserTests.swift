import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct JSONParserTests {
    private func parse(_ text: String) throws -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    @Test(arguments: [
        ("null", JSONValue.null), (" true ", .bool(true)), ("\t\r\nfalse", .bool(false)), ("0", .number("0")),
        ("-0", .number("-0")), ("-12.50e+03", .number("-12.50e+03")), ("1E400", .number("1E400")),
        ("123456789012345678901234567890", .number("123456789012345678901234567890")),
        (#""""#, .string("")), (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{C}\n\r\t")),
        (#""\u00e9\uD83D\uDE00""#, .string("é😀")), (#""\u0000""#, .string("\0")), ("\"\u{7F}é😀\"", .string("\u{7F}é😀")),
        ("[]", .array([])), ("[ 1 , [ ] ]", .array([.number("1"), .array([])])), ("{ }", .object([:])),
        (#"{"a":1,"b":{"":null}}"#, .object(["a": .number("1"), "b": .object(["": .null])])),
        (#"{"a":1,"a":2}"#, .object(["a": .number("2")])),
        ("{\"\u{E9}\":1,\"e\u{301}\":2}", .object(["\u{E9}": .number("1"), "e\u{301}": .number("2")])),
    ])
    func `valid JSON is read`(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x10", "NaN", "Infinity", "'a'",
        "\"a", "\"\n\"", #""\x""#, #""\u12""#, #""\u12G4""#, "[", "[1", "[1,]", "[,1]", "[1 2]", "{", #"{"a"}"#,
        #"{"a":}"#,
        #"{"a":1,}"#, "{a:1}", "{1:1}", #"{"a" 1}"#, "1 2", "[]]", "// c\n1", "\u{FEFF}1",
    ])
    func `invalid JSON is refused`(text: String) {
        #expect {
            try parse(text)
        } throws: { error in
            guard case .malformed = error as? JSONError else { return false }
            return true
        }
    }

    @Test func `an error has the offset where parsing stopped`() {
        #expect(throws: JSONError.malformed(offset: 6)) { try parse(#"{"a": x}"#) }
    }

    @Test(arguments: [#""\uD83D""#, #""\uD83Dx""#, #""\uD83D\n""#, #""\uDE00""#, #""\uD83D\uD83D""#])
    func `half a surrogate pair is refused`(text: String) {
        #expect {
            try parse(text)
        } throws: { error in
            guard case .notUnicode = error as? JSONError else { return false }
            return true
        }
    }

    @Test(
        arguments: [[0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0x80], [0xFF]] as [[UInt8]])
    func `bad UTF-8 in strings is refused`(bytes: [UInt8]) {
        #expect(throws: JSONError.notUnicode(offset: 1)) { try JSONParser.parse([0x22] + bytes + [0x22]) }
        #expect(throws: (any Error).self) { try JSONParser.parse(bytes) }
    }

    @Test func `nesting is bounded`() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(throws: Never.self) { try parse(nested(JSONParser.maximumDepth)) }
        #expect(throws: JSONError.tooDeep) { try parse(nested(JSONParser.maximumDepth + 2)) }
        #expect(throws: JSONError.tooDeep) { try parse(String(repeating: #"{"a":"#, count: 100_000)) }
    }
}
