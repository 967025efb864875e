import ChatLocalStack
import ChatTestSupport
import Testing

@Suite("Without PostgreSQL")
struct UnreachableTests {
    @Test("REST answers 503 with Retry-After", arguments: [ServerKind.system, .message])
    func nobody(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let nobody = try FreePort.next()
        let server = try stack.makeServer(kind, ["CHAT_DATABASE_URL": "postgres://chat@127.0.0.1:\(nobody)/chat"])
        let process = try await server.launch()
        let client = RESTClient(baseURL: server.url)
        let health = try await client.waitForAnswer("/health/ready", 503)
        #expect(health.json["status"] == "unavailable")
        let path = kind == .system ? "/api/v1/rooms/r" : "/api/v1/rooms/r/events"
        let answer = try await client.get(path, as: user.credentials)
        #expect(answer.status == 503)
        #expect(answer.code == "unavailable")
        #expect(answer.header("Retry-After").flatMap { Int($0) } ?? 0 >= 1)
        #expect(answer.header("Content-Type") == "application/problem+json")
        process.terminate()
        #expect(try await process.waitForExit(timeout: .seconds(20)) == .exited(0))
        try await server.stop()
    }
}
