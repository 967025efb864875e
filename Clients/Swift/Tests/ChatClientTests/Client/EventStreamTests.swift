import Testing

@testable import ChatClient

/// Event streams, which serve where sockets do not.
@Suite(.timeLimit(.minutes(1))) struct EventStreamTests {
    let server = FakeServer()
    /// Made once: the times in a token made later may be those of the next second.
    private let renewed = token(of: 1, id: 2)

    /// A client whose tokens differ, live on a stream.
    private func live(_ body: @escaping @Sendable (ChatClient, FakeServer.Link) async throws -> Void) async throws {
        let client = try makeClient(server) { [renewed] reason in reason == .expiring ? renewed : token(of: 1, id: 1) }
        try await running(client) { [server] in
            let link = try await server.stream()
            await link.receive([.opened])
            await link.send(
                readyFrame, ["eventType": "rooms", "rooms": [roomFrame("a", seq: 3)], "isAll": true, "isLast": true],
                ["eventType": "synced", "cursor": "c1"])
            await client.open("a")
            try await body(client, link)
        }
    }

    @Test(arguments: [true, false])
    func `a stream with the new token replaces the present one without a gap`(_ isAccepted: Bool) async throws {
        try await live { [server, renewed] client, old in
            let status = client.connectionStates.value
            #expect(status.state == .live)
            await client.core.input { core in
                core.connection.ask(.expiring)
                await core.handle(core.connection.take())
            }
            let new = try await server.link()
            #expect(new.request.path == "/sse/user?cursor=c1")
            #expect(new.request.headers.first?.value == "Bearer \(renewed)")
            await old.send(messageFrame("a", 4))
            if isAccepted {
                await new.receive([.opened])
                await old.send(messageFrame("a", 5, text: "late"))
                await new.send(
                    readyFrame, ["eventType": "rooms", "rooms": [roomFrame("a", seq: 5)], "isLast": true],
                    messageFrame("a", 4), messageFrame("a", 5), ["eventType": "synced", "cursor": "c2"])
                #expect(await old.frame("(close)") != .null)
            } else {
                new.refuse(ClientResponse(status: 503))
                while await client.core.successor != nil { await Task.yield() }
                await old.send(messageFrame("a", 5))
            }
            #expect(client.room("a").messages.value.items.map(\.text) == ["4", "5"])
            #expect(client.connectionStates.value == status)
        }
    }

    @Test func `the pause that a stream names before it ends is kept to`() async throws {
        try await live { client, link in
            await link.receive([.retry(milliseconds: 7000)])
            link.close()
            await client.reaches(.offline, .restart)
            #expect(client.connectionStates.value.retryInMilliseconds == 7000)
        }
    }

    @Test(arguments: [200, 403, 422])
    func `an event stream serves where handshakes have no answer while REST works`(_ status: Int) async throws {
        let store = MemoryChatStore()
        let client = try makeClient(server, store: store)
        // Whether the server takes a read mark or will never take it, it is not kept any more.
        server.answer { call in
            ClientResponse(status: call.path.hasSuffix("/read") ? status : 200, body: Array("{}".utf8))
        }
        try await running(client) { [server] in
            for _ in 0..<3 {
                let link = try await server.link()
                #expect(link.request.kind == .webSocket)
                link.close()
            }
            var link = try await server.link()
            while link.request.kind == .webSocket {
                link.close()
                link = try await server.link()
            }
            #expect(link.request.path == "/sse/user")
            await link.send(["eventType": "ready", "sessionId": "s", "userId": 1, "heartbeatSeconds": 15])
            await link.send(["eventType": "rooms", "rooms": [roomFrame("a", seq: 3)], "removed": [], "isLast": true])
            await link.send(["eventType": "synced", "cursor": "c 7"])
            await client.reaches(.live, .unsupported)
            await client.room("a").markRead(3)
            try await until {
                server.calls.contains { $0.path == "/api/v1/rooms/a/read" && $0.method == .put }
            }
            // It may be another network by now.
            link.close()
            link = try await server.link()
            #expect(link.request.kind == .webSocket)
            while link.request.kind == .webSocket {
                link.close()
                link = try await server.link()
            }
            #expect(link.request.path == "/sse/user?cursor=c%207")
            try await until { !store.contents.keys.contains { $0.contains("/read/") } }
        }
    }
}

let readyFrame: JSONValue = ["eventType": "ready", "sessionId": "s", "userId": 1, "heartbeatSeconds": 25]

extension FakeServer {
    /// The next stream of the client: no handshake has a response, but REST calls have.
    func stream() async throws -> Link {
        answer { _ in ClientResponse(status: 200, body: Array("{}".utf8)) }
        var link = try await link()
        while link.request.kind == .webSocket {
            link.close()
            link = try await self.link()
        }
        return link
    }
}

extension ChatClient {
    /// Opens a room before this returns.
    func open(_ id: String) async { await core.input { core in await core.open(id) } }
}
