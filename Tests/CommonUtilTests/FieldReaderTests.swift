import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct FieldReaderTests {
    private enum Kind: String, CaseIterable { case one, two }

    private func reader(_ json: String) throws -> FieldReader { try FieldReader(body: Array(json.utf8)) }

    @Test func `fields are read`() throws {
        var fields = try reader(
            #"{"s":"aé","n":5,"c":"two","r":"room","u":[1,2],"o":{"k":null},"z":null,"l":0}"#)
        #expect(fields.string("s", length: 2...2) == "aé")
        #expect(fields.numericID("n", UserID.self) == UserID(5))
        #expect(fields.choice("c", Kind.self) == .two)
        #expect(fields.roomID("r") == RoomID("room"))
        #expect(fields.users("u", maximumCount: 2, external: false) == [.id(UserID(1)), .id(UserID(2))])
        #expect(fields.object("o") == ["k": .null])
        #expect(fields.optionalString("z", length: 1...1) == nil)
        #expect(fields.optionalString("absent", length: 1...1) == nil)
        #expect(fields.integer("l", in: 0...Int64.max) == 0)
        #expect(throws: Never.self) { try fields.finish() }
    }

    @Test func `every invalid field is named at once`() throws {
        var fields = try reader(#"{"s":"","n":1.5,"c":"three","r":"a b","u":[1,"2",0],"o":[]}"#)
        #expect(fields.string("s", length: 1...5) == nil)
        #expect(fields.string("gone", length: 1...5) == nil)
        #expect(fields.numericID("n", UserID.self) == nil)
        #expect(fields.choice("c", Kind.self) == nil)
        #expect(fields.roomID("r") == nil)
        #expect(fields.users("u", maximumCount: 3, external: false) == [.id(UserID(1))])
        #expect(fields.object("o") == nil)
        #expect(fields.errors.map(\.field) == ["s", "gone", "n", "c", "r", "u[1]", "u[2]", "o"])
        #expect(throws: ChatError(invalid: fields.errors)) { try fields.finish() }
    }

    @Test func `lengths count Unicode scalars`() throws {
        // A family emoji is one character, but five scalars.
        var fields = try reader(#"{"s":"👨‍👩‍👧"}"#)
        #expect(fields.string("s", length: 5...5) != nil)
    }

    @Test(arguments: ["1e-2", "1.5", "9223372036854775808", "0", "-1", "\"1\"", "true"])
    func `integers are whole`(text: String) throws {
        var fields = try reader(#"{"n":\#(text)}"#)
        #expect(fields.numericID("n", UserID.self) == nil)
        #expect(fields.errors.count == 1)
    }

    @Test(arguments: [
        ("", ErrorCode.malformedJSON), ("[]", .malformedJSON), ("{", .malformedJSON), ("1", .malformedJSON),
    ])
    func `bodies that are no object are refused`(text: String, code: ErrorCode) {
        #expect {
            try reader(text)
        } throws: { ($0 as? ChatError)?.code == code }
    }

    @Test(arguments: [#"{"a":"\uD800"}"#, String(repeating: "[", count: 200)])
    func `JSON that is nested too deep or not Unicode is refused`(text: String) {
        #expect {
            try reader(text)
        } throws: { ($0 as? ChatError)?.code == .validationFailed }
    }

    @Test(arguments: [(#"{"a":"\u0000"}"#, "a"), (#"{"a":{"b":["\u0000"]}}"#, "a"), (#"{"x\u0000":1}"#, "body")])
    func `U+0000 is refused`(text: String, field: String) throws {
        let fields = try reader(text)
        #expect(fields.errors.map(\.field) == [field])
        #expect(throws: ChatError.self) { try fields.finish() }
    }
}
