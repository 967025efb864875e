import CommonUtil
import HTTPTypes
import Hummingbird
import Testing

@Suite(.timeLimit(.minutes(2))) struct FieldReaderTests {
    private enum Kind: String, CaseIterable { case one, two }

    private func reader(_ json: String) throws -> FieldReader { try FieldReader(body: Array(json.utf8)) }

    @Test func readsWhatIsThere() throws {
        var fields = try reader(
            #"{"s":"aé","n":5,"c":"two","r":"room","u":[1,2],"o":{"k":null},"z":null,"l":0}"#)
        #expect(fields.string("s", length: 2...2) == "aé")
        #expect(fields.numericID("n", UserID.self) == UserID(5))
        #expect(fields.choice("c", Kind.self) == .two)
        #expect(fields.roomID("r") == RoomID("room"))
        #expect(fields.userIDs("u", maximumCount: 2) == [UserID(1), UserID(2)])
        #expect(fields.object("o") == ["k": .null])
        #expect(fields.optionalString("z", length: 1...1) == nil)
        #expect(fields.optionalString("absent", length: 1...1) == nil)
        #expect(fields.integer("l", in: 0...Int64.max) == 0)
        #expect(throws: Never.self) { try fields.finish() }
    }

    @Test func namesEveryFaultAtOnce() throws {
        var fields = try reader(#"{"s":"","n":1.5,"c":"three","r":"a b","u":[1,"2",0],"o":[]}"#)
        #expect(fields.string("s", length: 1...5) == nil)
        #expect(fields.string("gone", length: 1...5) == nil)
        #expect(fields.numericID("n", UserID.self) == nil)
        #expect(fields.choice("c", Kind.self) == nil)
        #expect(fields.roomID("r") == nil)
        #expect(fields.userIDs("u", maximumCount: 3) == [UserID(1)])
        #expect(fields.object("o") == nil)
        #expect(fields.errors.map(\.field) == ["s", "gone", "n", "c", "r", "u[1]", "u[2]", "o"])
        #expect(throws: ChatError(invalid: fields.errors)) { try fields.finish() }
    }

    @Test func lengthsCountUnicodeScalars() throws {
        // A family emoji is one character, but five scalars.
        var fields = try reader(#"{"s":"👨‍👩‍👧"}"#)
        #expect(fields.string("s", length: 5...5) != nil)
    }

    @Test(arguments: ["1e-2", "1.5", "9223372036854775808", "0", "-1", "\"1\"", "true"])
    func integersAreWhole(text: String) throws {
        var fields = try reader(#"{"n":\#(text)}"#)
        #expect(fields.numericID("n", UserID.self) == nil)
        #expect(fields.errors.count == 1)
    }

    @Test(arguments: [
        ("", ErrorCode.malformedJSON), ("[]", .malformedJSON), ("{", .malformedJSON), ("1", .malformedJSON),
    ])
    func bodiesThatAreNoObject(text: String, code: ErrorCode) {
        #expect {
            try reader(text)
        } throws: { ($0 as? ChatError)?.code == code }
    }

    @Test(arguments: [#"{"a":"\uD800"}"#, String(repeating: "[", count: 200)])
    func bodiesThatAreJSONButNotForUs(text: String) {
        #expect {
            try reader(text)
        } throws: { ($0 as? ChatError)?.code == .validationFailed }
    }

    @Test(arguments: [(#"{"a":"\u0000"}"#, "a"), (#"{"a":{"b":["\u0000"]}}"#, "a"), (#"{"x\u0000":1}"#, "body")])
    func noNUL(text: String, field: String) throws {
        let fields = try reader(text)
        #expect(fields.errors.map(\.field) == [field])
        #expect(throws: ChatError.self) { try fields.finish() }
    }

    /// However many members are at fault and however they are named, an answer to them is small.
    @Test(arguments: ["abcdefgh", "\u{1}\u{2}\u{3}", "ä€😀", String(repeating: "k", count: 1_000), "\"\\\"\\"])
    func errorsAreSmall(name: String) throws {
        let escaped = name.utf16.map { unit in
            let digits = String(unit, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
        let members = (0..<50).map { #""\#($0)\#(escaped)":"\u0000""# }
        let fields = try reader("{\(members.joined(separator: ","))}")
        let error = fields.incomplete
        #expect((1...20).contains(error.fieldErrors.count))
        #expect(error.problemBody(traceID: String(repeating: "0", count: 32)).readableBytes <= 4_096)
        #expect(error.detail.hasSuffix("; and more"))
        #expect(error.fieldErrors.first?.field.hasPrefix("0") == true)
    }

    @Test func twentyFaultsAreNamedWithoutMore() throws {
        let errors = (0..<20).map { FieldError("f\($0)", "is wrong") }
        #expect(ChatError(invalid: errors).fieldErrors == errors)
        #expect(!ChatError(invalid: errors).detail.contains("and more"))
        #expect(ChatError(invalid: errors + errors).fieldErrors == errors)
    }

    @Test func detailsAreShortened() throws {
        let error = ChatError(.malformedRequest, String(repeating: "\u{1}", count: 100_000))
        #expect(error.problemBody(traceID: "").readableBytes <= 4_096)
        #expect(error.detail.hasSuffix("\u{1}…"))
        #expect(ChatError(.malformedRequest, "short").detail == "short")
    }

    @Test func problemsShowWhatTheContractSays() throws {
        let error = ChatError.invalid("name", "is required")
        let response = error.response(traceID: "t1")
        #expect(response.status == .unprocessableContent)
        #expect(response.headers[.contentType] == "application/problem+json")
        #expect(ChatError.unavailable("x").response(traceID: "").headers[.retryAfter] == "1")
        #expect(ChatError(.missingToken).response(traceID: "").headers[.wwwAuthenticate] == "Bearer")
    }
}
