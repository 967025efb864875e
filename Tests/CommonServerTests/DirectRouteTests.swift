import CommonAuth
import CommonLogging
import CommonServer
import CommonUtil
import Hummingbird
import NIOHTTP1
import Synchronization
import Testing

/// Calls that are answered without a task, beside the same calls by way of the router.
@Suite(.timeLimit(.minutes(1))) struct DirectRouteTests {
    private struct Echo: JSONEncodable {
        let text: String
        func write(to writer: inout JSONWriter) { writer.object { $0.member("text", text) } }
    }

    /// Echoes a text; `late` is answered from elsewhere once others had their turn, `taken` is refused.
    private func routes() -> Routes {
        var routes = Routes(authenticator: Authenticator(mode: .trusted, verifier: nil))
        routes.postDirectly(
            "/things",
            admission: { user, proceed in proceed(user.userID.rawValue == 9 ? ChatError(.rateLimited) : nil) }
        ) { call, respond in
            var fields = try FieldReader(body: call.body)
            let text = fields.string("text", length: 1...100) ?? ""
            try fields.finish()
            guard text != "taken" else { throw ChatError(.usernameTaken) }
            let echo = DirectResponse(
                jsonBytes: Echo(text: text + call.user.userID.description).jsonBytes, status: .created)
            guard text == "late" else { return respond(.success(echo)) }
            Task {
                for _ in 0..<1_000 { await Task.yield() }
                respond(.success(echo))
            }
        }
        routes.get("/things/{id}") { _, context in Response(json: Echo(text: try context.pathParameter("id"))) }
        return routes
    }

    private func post(_ text: String, _ more: String = "") -> String {
        let body = #"{"text":"\#(text)"}"#
        return """
            POST /things HTTP/1.1\r
            Host: x\r
            X-User-Id: 7\r
            Content-Type: application/json\r
            Content-Length: \(body.utf8.count)\r
            \(more)\r
            \(body)
            """
    }

    private func get(_ id: String, _ more: String = "") -> String {
        "GET /things/\(id) HTTP/1.1\r\nHost: x\r\n\(more)\r\n"
    }

    /// The bodies of a connection's answers, in order.
    private func texts(_ answers: String) -> [Substring] {
        answers.matches(of: /{"text":"([^"]*)"}|"code":"([a-z_]*)"/).map { $0.1 ?? $0.2 ?? "" }
    }

    private static let close = "Connection: close\r\n"

    /// What both ways answer, without what differs from one answer to the next. A `Connection` field sends a request
    /// through the router, unless it is `keep-alive`.
    @Test(arguments: ["plain", "taken", ""], ["", "X-Request-Id: my-id\r\nOrigin: https://a.example\r\n"])
    func `both ways respond alike`(text: String, more: String) async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            func lines(_ more: String) async throws -> [Substring] {
                let answers = try await server.raw(post(text, more) + get("end", Self.close))
                return answers.split(separator: "\r\n")
                    .map { $0.replacing(/"traceId":"[0-9a-f]{32}"/, with: "") }
                    .filter { !$0.hasPrefix("Date: ") && ($0.contains("my-id") || !$0.hasPrefix("X-Request-Id: ")) }
                    .map { Substring($0) }.sorted()
            }
            let (direct, routed) = (try await lines(more), try await lines(more + "Connection: te\r\n"))
            #expect(direct == routed)
        }
    }

    /// Answers come in the order of the requests, whichever way each of them goes.
    @Test func `pipelined requests get their responses in order`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let requests =
                post("late") + get("a") + post("b") + post("taken") + post("late") + post("c") + get("d")
                + post("e") + get("end", Self.close)
            let answers = try await server.raw(requests)
            #expect(
                texts(answers) == ["late7", "a", "b7", "username_taken", "late7", "c7", "d", "e7", "end"])
        }
    }

    /// A client that ends its side still gets all its answers.
    @Test func `the end of the input overtakes no response`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            #expect(texts(try await server.raw(post("late"), endsOutput: true)) == ["late7"])
            #expect(texts(try await server.raw(post("late") + post("b"), endsOutput: true)) == ["late7", "b7"])
        }
    }

    /// The error of invalid input comes after the responses to the requests before it.
    @Test func `a parse error overtakes no response`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let answers = try await server.raw(post("late") + "nonsense\r\n\r\n")
            #expect(texts(answers) == ["late7", "malformed_request"])
            let statuses = answers.matches(of: #/HTTP/1\.1 (\d+) /#).map(\.1)
            #expect(statuses == ["201", "400"])
        }
    }

    /// A caller over its limit is refused before the body is parsed.
    @Test(arguments: [[], [("Connection", "te")]])
    func `admission comes before the body is parsed`(more: [(String, String)]) async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let headers = [("Content-Type", "application/json"), ("X-User-Id", "9")] + more
            let answer = try await server.request(.POST, "/things", headers: headers, body: "nonsense")
            #expect(try answer.problem() == "rate_limited")
            let noJSON = try await server.request(.POST, "/things", headers: [headers[1]], body: "nonsense")
            #expect(try noJSON.problem() == "rate_limited")
        }
    }

    /// A field that comes twice is one with both values: not plain, and judged by the router.
    @Test func `a repeated field is not its first value`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let twoUsers = try await server.raw(post("a", "X-User-Id: 8\r\n" + Self.close))
            #expect(texts(twoUsers) == ["invalid_token"])
        }
    }

    @Test func `a request that is not plain goes through the router`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let json = [("Content-Type", "application/json"), ("X-User-Id", "7")]
            func problem(_ headers: [(String, String)], body: String) async throws -> String {
                try await server.request(.POST, "/things", headers: headers, body: body).problem()
            }
            #expect(try await problem([json[0]], body: "{}") == "missing_token")
            #expect(try await problem([json[1]], body: "{}") == "unsupported_media_type")
            #expect(
                try await problem(json, body: #"{"text":"\#(String(repeating: "x", count: 70_000))"}"#)
                    == "body_too_large")
            let chunked = """
                POST /things HTTP/1.1\r
                Host: x\r
                X-User-Id: 7\r
                Content-Type: Application/JSON; charset=utf-8\r
                Transfer-Encoding: chunked\r
                Connection: close\r
                \r
                e\r
                {"text":"abc"}\r
                0\r
                \r

                """
            #expect(texts(try await server.raw(chunked)) == ["abc7"])
        }
    }

    @Test func `a body in pieces is put together`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let long = String(repeating: "x", count: 100)
            let padded = #"{"text":"\#(long)","pad":"\#(String(repeating: "y", count: 60_000))"}"#
            let answer = try await server.request(
                .POST, "/things", headers: [("Content-Type", "application/json"), ("X-User-Id", "7")], body: padded)
            #expect(try answer.json()["text"] == .string(long + "7"))
        }
    }

    @Test func `a direct request is measured`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            _ = try await server.raw(post("a") + get("end", Self.close))
            let line = #"http_server_request_duration_seconds_count{method="POST",route="/things",status="201"} 1"#
            #expect(server.metrics.text().contains(line))
        }
    }

    @Test func `a direct request is not served before the start`() async throws {
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        try await TestServer.run(routes: routes(), beforeServing: [{ for await _ in released {} }]) { server in
            let answer = try await server.raw(post("a", Self.close))
            #expect(texts(answer) == ["unavailable"])
            release.finish()
        }
    }
}
