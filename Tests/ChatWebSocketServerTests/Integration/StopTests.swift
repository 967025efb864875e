import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct StopTests {
    @Test func `SIGTERM with open sockets sends reconnect, closes with 1012 and exits with 0`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let server = try stack.makeServer(.webSocket)
        try await server.start(timeout: .seconds(60))
        let process = try #require(await server.running)
        let user = try await stack.user()
        let roomID = Unique.name("drain")
        var sockets: [WebSocketTestClient] = []
        for _ in 0..<10 { sockets.append(try await stack.readySocket(roomID, as: user, port: server.port)) }

        let asked = ContinuousClock.now
        process.terminate()
        for socket in sockets {
            let reconnect = try await socket.event(type: "reconnect")
            #expect((0...60_000).contains(try #require(reconnect["afterMs"]?.int)))
            #expect(reconnect["reason"]?.string?.isEmpty == false)
            let close = try await socket.closeFrame()
            #expect(close.code == 1012)
            try? await socket.send(.close(1012))
            try await socket.disconnected()
            #expect(socket.faults.isEmpty)
        }
        #expect(try await process.waitForExit(timeout: .seconds(20)) == .exited(0))
        #expect(ContinuousClock.now - asked < .seconds(20))
        try await server.stop()
    }

    @Test(arguments: ServerKind.allCases)
    func `SIGTERM ends an idle server with exit 0`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running()
        let server = try stack.makeServer(kind)
        try await server.start(timeout: .seconds(60))
        // An idle keep-alive connection must not delay it.
        try await RESTClient(baseURL: server.url).waitForAnswer("/health/ready", 200)
        let process = try #require(await server.running)
        process.terminate()
        #expect(try await process.waitForExit(timeout: .seconds(20)) == .exited(0))
        try await server.stop()
    }

    @Test(arguments: ServerKind.allCases)
    func `SIGTERM ends a server that waits for PostgreSQL with exit 0`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running()
        let nobody = try FreePort.next()
        let server = try stack.makeServer(kind, ["CHAT_DATABASE_URL": "postgres://chat@127.0.0.1:\(nobody)/chat"])
        let process = try await server.launch()
        try await RESTClient(baseURL: server.url).waitForAnswer("/health/ready", 503)
        process.terminate()
        #expect(try await process.waitForExit(timeout: .seconds(20)) == .exited(0))
        try await server.stop()
    }
}
