import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct UnreachableTests {
    @Test(arguments: ServerKind.allCases)
    func `without PostgreSQL REST answers 503 with Retry-After, and a socket is closed with 1013`(_ kind: ServerKind)
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let nobody = try FreePort.next()
        let server = try stack.makeServer(kind, ["CHAT_DATABASE_URL": "postgres://chat@127.0.0.1:\(nobody)/chat"])
        let process = try await server.launch()
        let client = RESTClient(baseURL: server.url)
        let health = try await client.waitForAnswer("/health/ready", 503)
        #expect(health.json["status"] == "unavailable")
        switch kind {
        case .webSocket:
            let socket = try await stack.socket(Unique.name("later"), as: user, port: server.port)
            #expect(socket.handshake.status == 101)
            let close = try await socket.closeFrame()
            #expect(close.code == 1013)
            #expect(close.reason == "this server is starting")
        case .system, .message:
            let answer = try await client.get(
                "/api/v1/rooms/r\(kind == .message ? "/events" : "")", as: user.credentials)
            #expect(answer.status == 503)
            #expect(answer.code == "unavailable")
            #expect(answer.header("Retry-After").flatMap { Int($0) } ?? 0 >= 1)
            #expect(answer.header("Content-Type") == "application/problem+json")
        }
        process.terminate()
        #expect(try await process.waitForExit(timeout: .seconds(20)) == .exited(0))
        try await server.stop()
    }
}
