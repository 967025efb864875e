import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct CommonHTTPTests {
    private static func client(_ kind: ServerKind, of stack: SharedStack) -> RESTClient {
        switch kind {
        case .system: stack.system
        case .message: stack.messages()
        case .webSocket: stack.webSocket()
        }
    }

    @Test(arguments: [
        (ServerKind.system, ["keys", "postgres", "redis"]), (.message, ["files", "keys", "postgres", "redis"]),
        (.webSocket, ["keys", "postgres", "redis", "redis_subscription"]),
    ])
    func `readiness names the dependencies of the server, and nothing else`(_ kind: ServerKind, _ checks: [String])
        async throws
    {
        let client = Self.client(kind, of: try await SharedStack.running())
        let ready = try await client.waitForAnswer("/health/ready", 200) { $0.json["status"] == "ok" }
        #expect(ready.json.keys == ["status", "checks"])
        #expect(ready.json["checks"]?.keys.sorted() == checks)
        #expect(ready.json["checks"]?.object?.values.allSatisfy { $0 == "ok" } == true)
        #expect(ready.header("Content-Type") == "application/json")
        #expect(try await client.get("/health/live").status == 200)
    }

    @Test(arguments: [
        (ServerKind.system, "/.well-known/jwks.json", 200, "GET, HEAD, OPTIONS"),
        (.system, "/api/v1/rooms", 401, "GET, HEAD, OPTIONS, POST"),
        (.message, "/api/v1/messages/1", 401, "DELETE, GET, HEAD, OPTIONS, PATCH"),
        (.webSocket, "/metrics", 200, "GET, HEAD, OPTIONS"),
    ])
    func `HEAD is GET without a body, OPTIONS lists the methods, and a wrong one gets the same list`(
        _ kind: ServerKind, _ path: String, _ status: Int, _ allowed: String
    ) async throws {
        let client = Self.client(kind, of: try await SharedStack.running())
        let head = try await client.send(.init("HEAD"), path)
        #expect(head.status == status)
        #expect(head.bytes.isEmpty)
        let get = try await client.get(path)
        #expect(head.header("Content-Type") == get.header("Content-Type"))
        let options = try await client.send(.init("OPTIONS"), path)
        #expect(options.status == 204)
        #expect(options.header("Allow") == allowed)
        let refused = try await client.send(.put, path)
        #expect(refused.status == 405)
        #expect(refused.header("Allow") == allowed)
        #expect(refused.code == "method_not_allowed")
    }

    @Test func `pages load nothing and are not framed, and no cache keeps tokens`() async throws {
        let stack = try await SharedStack.running()
        for client in [stack.system, stack.messages()] {
            let page = try await client.get("/docs")
            let policy = try #require(page.header("Content-Security-Policy"))
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"))
            #expect(page.header("X-Frame-Options") == "DENY")
            #expect(page.header("Referrer-Policy") == "no-referrer")
            #expect(page.header("X-Content-Type-Options") == "nosniff")
        }
        let credentials: JSON = ["username": .string(Unique.name("nobody")), "password": "a long password"]
        for path in ["register", "login"] {
            let answer = try await stack.system.post("/api/v1/auth/\(path)", credentials)
            #expect(answer.header("Cache-Control") == "no-store")
        }
        #expect(try await stack.system.post("/api/v1/auth/login", [:]).header("Cache-Control") == "no-store")
    }

    @Test(arguments: ServerKind.allCases)
    func `an error has the members of the contract and no others`(_ kind: ServerKind) async throws {
        let client = Self.client(kind, of: try await SharedStack.running())
        let answer = try await client.get("/api/v1/nothing", headers: [("X-Request-Id", "mine")])
        #expect(answer.status == 404)
        #expect(answer.json.keys == ["type", "title", "status", "detail", "code", "traceId"])
        #expect(answer.json["status"] == 404)
        #expect(answer.json["traceId"]?.string?.wholeMatch(of: /[0-9a-f]{32}/) != nil)
        #expect(answer.header("Content-Type") == "application/problem+json")
        #expect(answer.header("X-Request-Id") == "mine")
    }

    @Test(
        arguments: ServerKind.allCases
    )
    func `the log has the trace of the caller, and a warning in trusted mode`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running(.trusted)
        let traceID = "0af7651916cd43dd8448eb211c80319c"
        let file = try await stack.withServer(kind) { server in
            let answer = try await RESTClient(baseURL: server.url).get(
                "/api/v1/nothing?access_token=hunter2",
                headers: [("traceparent", "00-\(traceID)-b7ad6b7169203331-01"), ("X-Request-Id", "mine")])
            #expect(answer.json["traceId"] == .string(traceID))
            return server.configuration.logFile
        }
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
            .map { try JSON(parsing: Array($0.utf8)) }
        let ours = lines.filter { $0["metadata"]?["traceId"] == .string(traceID) || $0["traceId"] == .string(traceID) }
        #expect(!ours.isEmpty)
        #expect(ours.allSatisfy { $0.text.contains("mine") && !$0.text.contains("hunter2") })
        #expect(lines.contains { $0["level"] == "warning" && $0.text.contains("CHAT_AUTH_MODE") })
    }
}
