import ChatLocalStack
import ChatTestSupport
import Testing

/// Posts that are refused: the status, the `code`, the field, and nothing stored.
@Suite(.timeLimit(.minutes(2))) struct BadPostTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let body: [UInt8]
        let status: Int
        let code: String
        let field: String?
        var contentType: String? = "application/json"
        var testDescription: String { name }

        /// `$R` in the text stands for a room of the sender.
        init(
            _ name: String, _ text: String, _ status: Int, _ code: String, field: String? = nil,
            contentType: String? = "application/json"
        ) {
            self.init(name, bytes: Array(text.utf8), status, code, field: field, contentType: contentType)
        }

        init(
            _ name: String, bytes: [UInt8], _ status: Int, _ code: String, field: String? = nil,
            contentType: String? = "application/json"
        ) {
            self.name = name
            body = bytes
            self.status = status
            self.code = code
            self.field = field
            self.contentType = contentType
        }

        /// A valid text post but for one member.
        static func invalid(_ name: String, _ member: String, _ value: String, field: String? = nil) -> Case {
            var members = [
                "roomId": #""$R""#, "messageType": #""text""#, "payload": #"{"text":"Hello"}"#,
                "clientMessageId": #""k""#,
            ]
            members[member] = value
            let text = members.map { "\"\($0)\":\($1)" }.joined(separator: ",")
            return Case(name, "{\(text)}", 422, "validation_failed", field: field ?? member)
        }

        static func invalid(_ type: String, payload: String, field: String) -> Case {
            Case(
                "\(type) \(payload.prefix(60))",
                #"{"roomId":"$R","messageType":"\#(type)","payload":\#(payload)}"#, 422, "validation_failed",
                field: "payload" + (field.isEmpty ? "" : ".\(field)"))
        }
    }

    private static let valid = #"{"roomId":"$R","messageType":"text","payload":{"text":"Hello"}}"#
    private static let tooLong = String(repeating: "x", count: 8_001)
    private static let tooLarge =
        #"{"roomId":"$R","messageType":"rich_content","payload":{"x":""# + String(repeating: "x", count: 65_536)
        + #""}}"#

    static let bodies: [Case] = [
        Case("no body", "", 400, "malformed_json"),
        Case("half a body", #"{"roomId":"$R""#, 400, "malformed_json"),
        Case("two bodies", valid + valid, 400, "malformed_json"),
        Case("an array", "[\(valid)]", 400, "malformed_json"),
        Case("a string", #""hello""#, 400, "malformed_json"),
        Case("a comma too many", #"{"roomId":"$R",}"#, 400, "malformed_json"),
        Case("no content type", valid, 415, "unsupported_media_type", contentType: nil),
        Case("another content type", valid, 415, "unsupported_media_type", contentType: "text/plain"),
        Case("over 64 KiB", tooLarge, 413, "body_too_large"),
        Case(
            "bad UTF-8",
            bytes: Array(#"{"roomId":"$R","messageType":"text","payload":{"text":""#.utf8) + [0xFF]
                + Array(#""}}"#.utf8),
            422, "validation_failed", field: "body"),
        Case(
            "half a surrogate pair", #"{"roomId":"$R","messageType":"text","payload":{"text":"\ud800"}}"#, 422,
            "validation_failed", field: "body"),
        Case(
            "too deep", String(repeating: #"{"a":"#, count: 2_000) + "1" + String(repeating: "}", count: 2_000), 422,
            "validation_failed", field: "body"),
        Case("nothing in it", "{}", 422, "validation_failed", field: "roomId"),
        Case(
            "an unknown room", #"{"roomId":"no-such-room","messageType":"text","payload":{"text":"x"}}"#, 404,
            "room_not_found"),
    ]

    static let members: [Case] = [
        .invalid("roomId a number", "roomId", "1"), .invalid("roomId null", "roomId", "null"),
        .invalid("roomId empty", "roomId", #""""#), .invalid("roomId with a slash", "roomId", #""a/b""#),
        .invalid("roomId too long", "roomId", "\"\(String(repeating: "x", count: 65))\""),
        .invalid("roomId reserved", "roomId", #""public""#), .invalid("roomId with NUL", "roomId", #""a\u0000""#),
        .invalid("type unknown", "messageType", #""poem""#), .invalid("type a number", "messageType", "1"),
        .invalid("type system", "messageType", #""system""#), .invalid("payload a string", "payload", #""{}""#),
        .invalid("payload an array", "payload", "[]"), .invalid("payload null", "payload", "null"),
        .invalid("key empty", "clientMessageId", #""""#), .invalid("key a number", "clientMessageId", "1"),
        .invalid("key too long", "clientMessageId", "\"\(String(repeating: "x", count: 65))\""),
        .invalid("key with NUL", "clientMessageId", #""\u0000""#),
        .invalid("reply to 0", "replyToMessageId", "0"), .invalid("reply to -1", "replyToMessageId", "-1"),
        .invalid("reply to 1.5", "replyToMessageId", "1.5"), .invalid("reply to a string", "replyToMessageId", #""1""#),
        .invalid("reply beyond 64 bits", "replyToMessageId", "9223372036854775808"),
        .invalid("reply to nothing", "replyToMessageId", "9007199254740991"),
        .invalid("a reply beyond 2^53 - 1", "replyToMessageId", "9007199254740992"),
    ]

    static let payloads: [Case] = [
        .invalid("text", payload: "{}", field: "text"), .invalid("text", payload: #"{"text":""}"#, field: "text"),
        .invalid("text", payload: #"{"text":7}"#, field: "text"),
        .invalid("text", payload: #"{"text":"\#(tooLong)"}"#, field: "text"),
        .invalid("text", payload: #"{"text":"a\u0000b"}"#, field: ""),
        .invalid("rich_content", payload: #"{"\u0000":1}"#, field: ""),
        .invalid("rich_content", payload: #"{"n":\#(String(repeating: "1", count: 65))}"#, field: ""),
        .invalid("image", payload: "{}", field: "imageUrl"),
        .invalid("image", payload: #"{"imageUrl":"ftp://example.org/a"}"#, field: "imageUrl"),
        .invalid("image", payload: #"{"imageUrl":"javascript:alert(1)"}"#, field: "imageUrl"),
        .invalid("image", payload: #"{"imageUrl":"https://example.org/","width":-1}"#, field: "width"),
        .invalid("file", payload: #"{"fileUrl":"https://example.org/"}"#, field: "fileName"),
        .invalid("video", payload: #"{"url":"https:///"}"#, field: "url"),
        .invalid("audio", payload: #"{"url":"https://example.org/","durationSeconds":"1"}"#, field: "durationSeconds"),
        .invalid("location", payload: #"{"latitude":91,"longitude":0}"#, field: "latitude"),
        .invalid("location", payload: #"{"latitude":1e400,"longitude":0}"#, field: "latitude"),
        .invalid("sticker", payload: #"{"stickerId":null}"#, field: "stickerId"),
    ]

    @Test(arguments: bodies + members + payloads)
    func `an invalid post names its fields`(_ bad: Case) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        // The room's id as bytes, since some bodies are no text.
        let body = bad.body.split(separator: Array("$R".utf8)).joined(separator: roomID.utf8)
        let answer = try await stack.messages().send(
            .post, "/api/v1/messages", as: user.credentials,
            headers: bad.contentType.map { [("Content-Type", $0)] } ?? [], bytes: Array(body))
        #expect(answer.status == bad.status, "\(answer)")
        #expect(answer.code == bad.code)
        #expect(answer.header("Content-Type") == "application/problem+json")
        #expect(answer.json["status"]?.int == Int64(bad.status))
        #expect(["type", "title", "detail", "traceId"].allSatisfy { answer.json[$0]?.string?.isEmpty == false })
        if let field = bad.field { #expect(answer.fields.contains(field), "\(answer)") }
        #expect(try await stack.room(roomID, as: user)["lastSeq"] == 0)
    }

    @Test func `all invalid fields are named at once`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let answer = try await stack.messages().post(
            "/api/v1/messages", ["messageType": 1, "payload": "x", "clientMessageId": ""], as: user.credentials)
        #expect(Set(answer.fields) == ["roomId", "messageType", "payload", "clientMessageId"])
    }

    @Test(arguments: [
        ("messages?limit=0", "limit"), ("messages?limit=101", "limit"), ("messages?limit=x", "limit"),
        ("messages?limit=", "limit"), ("messages?before=-1", "before"), ("messages?after=x", "after"),
        ("messages?before=9223372036854775808", "before"), ("messages?after=1&after=2", "after"),
        ("events?after=-1", "after"), ("events?limit=101", "limit"), ("events?after=%00", "after"),
    ])
    func `a query out of range names its field`(_ path: String, _ field: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let answer = try await stack.messages().get("/api/v1/rooms/\(roomID)/\(path)", as: user.credentials)
        #expect(answer.status == 422)
        #expect(answer.code == "validation_failed")
        #expect(answer.fields == [field])
        #expect(answer.header("Content-Type") == "application/problem+json")
    }

    @Test(arguments: [
        "messages/0", "messages/-1", "messages/x", "messages/9223372036854775808", "messages/1%00",
        "messages/9007199254740991", "messages/9007199254740992", "rooms/a%20b/messages", "rooms/none/messages",
        "nothing",
    ])
    func `impossible ids in paths are refused`(_ path: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let answer = try await stack.messages().get("/api/v1/\(path)", as: user.credentials)
        #expect([400, 404, 422].contains(answer.status), "\(answer)")
        #expect(answer.code != nil)
        #expect(answer.header("Content-Type") == "application/problem+json")
    }

    /// As bytes: the client of the other tests cannot write such a path and asks for `/` instead.
    @Test(arguments: ["messages/%FF", "rooms/%FF/events"])
    func `an id that is not UTF-8 is refused`(_ path: String) async throws {
        let stack = try await SharedStack.running()
        let token = try #require(try await stack.user().token)
        let answer = try await RawHTTP.exchange(
            port: stack.processes.messageServers[0].port,
            "GET /api/v1/\(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\nConnection: close\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 422 "))
        #expect(answer.contains("\"code\":\"validation_failed\""))
    }

    @Test(arguments: [
        ("PUT", "messages", "POST"), ("GET", "messages", "POST"), ("POST", "messages/1", "GET"),
        ("DELETE", "rooms/r/messages", "GET"), ("PUT", "rooms/r/events", "GET"),
    ])
    func `a wrong method gets the list of allowed ones`(_ method: String, _ path: String, _ allowed: String)
        async throws
    {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let answer = try await stack.messages().send(
            .init(method), "/api/v1/\(path)", as: user.credentials)
        #expect(answer.status == 405)
        #expect(answer.code == "method_not_allowed")
        let allow = answer.header("Allow")?.split(separator: ",").map { $0.filter { $0 != " " } } ?? []
        #expect(allow.contains(allowed))
        #expect(!allow.contains(method))
        #expect(answer.header("Content-Type") == "application/problem+json")
    }
}
