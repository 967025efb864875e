import ChatLocalStack
import ChatTestSupport
import Testing

/// Requests that are refused: the status, the `code`, the field, and nothing stored.
@Suite(.timeLimit(.minutes(2))) struct BadRequestTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let method: String
        let path: String
        let body: String
        let status: Int
        let field: String?
        var testDescription: String { "\(method) \(path) \(body.prefix(60)) → \(status)" }

        /// `$R` in path and body stands for a room of the caller, `$U` for the caller's id.
        init(_ method: String, _ path: String, _ body: String, _ status: Int = 422, field: String? = nil) {
            self.method = method
            self.path = path
            self.body = body
            self.status = status
            self.field = field
        }

        var code: String {
            switch status {
            case 400: "malformed_json"
            case 404: "room_not_found"
            default: "validation_failed"
            }
        }
    }

    static let accounts: [Case] = [
        Case("POST", "auth/register", "{", 400), Case("POST", "auth/register", "[]", 400),
        Case("POST", "auth/register", #"{"username":"ab","password":"12345678"}"#, field: "username"),
        Case("POST", "auth/register", #"{"username":7,"password":"12345678"}"#, field: "username"),
        Case("POST", "auth/register", #"{"username":"änna","password":"12345678"}"#, field: "username"),
        Case("POST", "auth/register", #"{"username":"an na","password":"12345678"}"#, field: "username"),
        Case("POST", "auth/register", #"{"username":"ann\u0000","password":"12345678"}"#, field: "username"),
        Case(
            "POST", "auth/register", #"{"username":"\#(String(repeating: "a", count: 33))","password":"12345678"}"#,
            field: "username"),
        Case("POST", "auth/register", #"{"username":"anna-x"}"#, field: "password"),
        Case("POST", "auth/register", #"{"username":"anna-x","password":"1234567"}"#, field: "password"),
        Case(
            "POST", "auth/register", #"{"username":"anna-x","password":"\#(String(repeating: "a", count: 129))"}"#,
            field: "password"),
        Case(
            "POST", "auth/register", #"{"username":"anna-x","password":"12345678","displayName":""}"#,
            field: "displayName"),
        Case("POST", "auth/login", #"{"username":"anna"}"#, field: "password"),
        Case("POST", "auth/login", #"{"username":1,"password":"12345678"}"#, field: "username"),
        Case("POST", "auth/refresh", #"{}"#, field: "refreshToken"),
        Case("POST", "auth/refresh", #"{"refreshToken":1}"#, field: "refreshToken"),
        Case("POST", "auth/logout", #"{"refreshToken":null}"#, field: "refreshToken"),
        Case("PATCH", "users/me", #"{"displayName":"\#(String(repeating: "x", count: 65))"}"#, field: "displayName"),
        Case("PATCH", "users/me", #"{"displayName":"a\u0000b"}"#, field: "displayName"),
        Case("PUT", "users/me/password", "[]", 400),
        Case("PUT", "users/me/password", #"{"next":"12345678"}"#, field: "current"),
        Case("PUT", "users/me/password", #"{"current":1,"next":"12345678"}"#, field: "current"),
        Case("PUT", "users/me/password", #"{"current":"12345678"}"#, field: "next"),
        Case("PUT", "users/me/password", #"{"current":"12345678","next":"1234567"}"#, field: "next"),
        Case("PUT", "users/me/password", #"{"current":"12345678","next":"1234567\u0000"}"#, field: "next"),
        Case(
            "PUT", "users/me/password",
            #"{"current":"12345678","next":"\#(String(repeating: "a", count: 129))"}"#, field: "next"),
    ]

    static let rooms: [Case] = [
        Case("POST", "rooms", #"{"type":"group"}"#, field: "name"),
        Case("POST", "rooms", #"{"name":"","type":"group"}"#, field: "name"),
        Case("POST", "rooms", #"{"name":"\#(String(repeating: "x", count: 65))","type":"group"}"#, field: "name"),
        Case("POST", "rooms", #"{"name":"x"}"#, field: "type"),
        Case("POST", "rooms", #"{"name":"x","type":"secret"}"#, field: "type"),
        Case("POST", "rooms", #"{"name":"x","type":"group","roomId":"a b"}"#, field: "roomId"),
        Case("POST", "rooms", #"{"name":"x","type":"group","roomId":"public"}"#, field: "roomId"),
        Case("POST", "rooms", #"{"name":"x","type":"group","roomId":".."}"#, field: "roomId"),
        Case("POST", "rooms", #"{"name":"x","type":"group","memberIds":1}"#, field: "memberIds"),
        Case("POST", "rooms", #"{"name":"x","type":"group","memberIds":["1"]}"#, field: "memberIds[0]"),
        Case(
            "POST", "rooms", #"{"name":"x","type":"group","memberIds":[$U,9223372036854775808]}"#, field: "memberIds[1]"
        ),
        Case("POST", "rooms", #"{"name":"x","type":"group","memberIds":[9007199254740991]}"#, field: "memberIds"),
        Case("POST", "rooms", #"{"name":"x","type":"group","memberIds":[9007199254740992]}"#, field: "memberIds[0]"),
        Case("POST", "rooms", #"{"name":"x","type":"direct","memberIds":[$U]}"#, field: "memberIds"),
        Case("PATCH", "rooms/$R", "{}", field: "name"),
        Case("PATCH", "rooms/$R", #"{"name":null}"#, field: "name"),
        Case("PATCH", "rooms/none", #"{"name":"x"}"#, 404),
        Case("POST", "rooms/$R/members", "{}", field: "userId"),
        Case("POST", "rooms/$R/members", #"{"userId":0}"#, field: "userId"),
        Case("POST", "rooms/$R/members", #"{"userId":"1"}"#, field: "userId"),
        Case("POST", "rooms/$R/members", #"{"userId":1,"role":"king"}"#, field: "role"),
        Case("PATCH", "rooms/$R/members/$U", #"{"role":7}"#, field: "role"),
        Case("PUT", "rooms/$R/read", #"{"seq":-1}"#, field: "seq"),
        Case("PUT", "rooms/$R/read", #"{"seq":9223372036854775808}"#, field: "seq"),
        Case("PUT", "rooms/none/read", #"{"seq":1}"#, 404),
    ]

    @Test(arguments: accounts + rooms)
    func `an invalid body names its fields`(_ bad: Case) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let before = try await stack.room(roomID, as: user)
        func filled(_ text: String) -> String {
            text.replacing("$R", with: roomID).replacing("$U", with: String(user.userID))
        }
        let answer = try await stack.system.send(
            .init(bad.method), "/api/v1/" + filled(bad.path), as: user.credentials,
            headers: [("Content-Type", "application/json; charset=utf-8")], bytes: Array(filled(bad.body).utf8))
        #expect(answer.status == bad.status, "\(answer)")
        #expect(answer.code == bad.code)
        #expect(answer.header("Content-Type") == "application/problem+json")
        if let field = bad.field { #expect(answer.fields.contains(field), "\(answer)") }

        #expect(try await stack.room(roomID, as: user) == before)
        let rooms = try await stack.system.get("/api/v1/rooms", as: user.credentials)
        #expect(rooms.json["items"]?.array?.count == 1)
    }

    @Test(arguments: [
        ("POST", "auth/register"), ("POST", "auth/login"), ("POST", "rooms"), ("PATCH", "users/me"),
        ("PUT", "users/me/password"), ("PATCH", "rooms/$R"), ("POST", "rooms/$R/members"), ("PUT", "rooms/$R/read"),
    ])
    func `every call refuses bodies over 64 KiB, other content types and bad UTF-8`(_ method: String, _ path: String)
        async throws
    {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let path = "/api/v1/" + path.replacing("$R", with: try await stack.room(of: user))
        func send(_ bytes: [UInt8], _ contentType: String?) async throws -> RESTResponse {
            try await stack.system.send(
                .init(method), path, as: user.credentials,
                headers: contentType.map { [("Content-Type", $0)] } ?? [], bytes: bytes)
        }
        let spaces = Array(repeating: UInt8(ascii: " "), count: 65_537)
        for (answer, status, code) in [
            (try await send(spaces, "application/json"), 413, "body_too_large"),
            (try await send(Array("{}".utf8), "text/plain"), 415, "unsupported_media_type"),
            (try await send(Array("{}".utf8), nil), 415, "unsupported_media_type"),
            (
                try await send(Array(#"{"name":""#.utf8) + [0xC3, 0x28] + Array(#""}"#.utf8), "application/json"), 422,
                "validation_failed"
            ),
        ] {
            #expect(answer.status == status)
            #expect(answer.code == code)
            #expect(answer.header("Content-Type") == "application/problem+json")
        }
    }

    @Test(arguments: [
        ("rooms?cursor=nonsense", "cursor"), ("rooms?cursor=", "cursor"), ("rooms?cursor=%00", "cursor"),
        ("rooms?limit=0", "limit"), ("rooms?limit=101", "limit"), ("rooms?limit=1e1", "limit"),
        ("rooms/public?cursor=nonsense", "cursor"), ("rooms/$R/members?cursor=nonsense", "cursor"),
        ("rooms/$R/members?limit=-1", "limit"), ("users?cursor=nonsense", "cursor"), ("users?query=%00", "query"),
    ])
    func `an invalid query names its field`(_ path: String, _ field: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let answer = try await stack.system.get(
            "/api/v1/" + path.replacing("$R", with: roomID), as: user.credentials)
        #expect(answer.status == 422, "\(answer)")
        #expect(answer.code == "validation_failed")
        #expect(answer.fields == [field])
    }

    @Test func `a cursor of another list is refused`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user, with: [try await stack.user()])
        _ = try await stack.room(of: user)
        let page = try await stack.system.get("/api/v1/rooms/\(roomID)/members?limit=1", as: user.credentials)
        let cursor = try #require(page.json["nextCursor"]?.string)
        let answer = try await stack.system.get("/api/v1/rooms?cursor=\(cursor)", as: user.credentials)
        #expect(answer.status == 422)
        #expect(answer.fields == ["cursor"])
    }

    @Test(arguments: [
        "users/0", "users/-1", "users/x", "users/9223372036854775808", "users/1%00", "users/9007199254740991",
        "rooms/a%20b", "rooms/none", "rooms/none/members", "rooms/%2E%2E", "nothing",
    ])
    func `impossible ids in paths are refused`(_ path: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let answer = try await stack.system.get("/api/v1/\(path)", as: user.credentials)
        #expect([400, 404, 422].contains(answer.status), "\(answer)")
        #expect(answer.code != nil)
        #expect(answer.header("Content-Type") == "application/problem+json")
    }

    /// As bytes: the client of the other tests cannot write such a path and asks for `/` instead.
    @Test func `an id that is not UTF-8 is refused`() async throws {
        let stack = try await SharedStack.running()
        let token = try #require(try await stack.user().token)
        let answer = try await RawHTTP.exchange(
            port: stack.processes.systemServer.port,
            "GET /api/v1/rooms/%FF HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\nConnection: close\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 422 "))
        #expect(answer.contains("\"code\":\"validation_failed\""))
    }

    @Test(arguments: [
        ("GET", "auth/login", "POST"), ("DELETE", "auth/register", "POST"), ("DELETE", "users/me", "PATCH"),
        ("PUT", "rooms", "POST"), ("POST", "rooms/r", "PATCH"), ("GET", "rooms/r/join", "POST"),
        ("PUT", "rooms/r/members", "POST"), ("POST", "rooms/r/read", "PUT"),
    ])
    func `a wrong method gets the list of allowed ones`(_ method: String, _ path: String, _ allowed: String)
        async throws
    {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let answer = try await stack.system.send(.init(method), "/api/v1/\(path)", as: user.credentials)
        #expect(answer.status == 405, "\(answer)")
        #expect(answer.code == "method_not_allowed")
        let allow = answer.header("Allow")?.split(separator: ",").map { $0.filter { $0 != " " } } ?? []
        #expect(allow.contains(allowed))
        #expect(!allow.contains(method))
        #expect(answer.header("Content-Type") == "application/problem+json")
    }

    @Test func `a request id is echoed or made, and its trace is continued`() async throws {
        let stack = try await SharedStack.running()
        let given = try await stack.system.get(
            "/api/v1/nothing",
            headers: [
                ("X-Request-Id", "my-request"),
                ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            ])
        #expect(given.header("X-Request-Id") == "my-request")
        #expect(given.json["traceId"] == "0af7651916cd43dd8448eb211c80319c")
        let made = try await stack.system.get("/health/live")
        #expect(made.header("X-Request-Id")?.isEmpty == false)
    }
}
