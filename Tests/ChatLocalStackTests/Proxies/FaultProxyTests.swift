import NIOCore
import NIOPosix
import Testing

@testable import ChatLocalStack

@Suite(.timeLimit(.minutes(1))) struct FaultProxyTests {
    private typealias Link = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private static func async(_ channel: any Channel) -> EventLoopFuture<Link> {
        channel.eventLoop.makeCompletedFuture {
            try Link(wrappingChannelSynchronously: channel)
        }
    }

    /// Runs `body` with a proxy in front of a server, and a client and the server's end of its connection.
    private func withLink(
        wire: FaultProxy.Wire,
        _ body: @Sendable @escaping (FaultProxy, LinkEnd, LinkEnd) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let listener = try await ServerBootstrap(group: group)
            .bind(host: "127.0.0.1", port: 0) { Self.async($0) }
        let target = try #require(listener.channel.localAddress?.port)
        let proxy = try await FaultProxy.start(to: target, wire: wire)
        try await listener.executeThenClose { clients in
            let client = try await ClientBootstrap(group: group)
                .connect(host: "127.0.0.1", port: proxy.port) { Self.async($0) }
            var accepted = clients.makeAsyncIterator()
            let server = try #require(try await accepted.next())
            try await client.executeThenClose { fromServer, toServer in
                try await server.executeThenClose { fromClient, toClient in
                    try await body(
                        proxy, LinkEnd(fromServer, toServer), LinkEnd(fromClient, toClient))
                }
            }
        }
        try await proxy.stop()
    }

    @Test func `what passes arrives, both ways`() async throws {
        try await withLink(wire: .opaque) { proxy, client, server in
            try await client.send("hello")
            #expect(try await server.receive(5) == "hello")
            try await server.send("goodbye")
            #expect(try await client.receive(7) == "goodbye")
            #expect(proxy.counts.accepted == 1)
        }
    }

    @Test func `a cut link ends at both sides`() async throws {
        try await withLink(wire: .opaque) { proxy, client, server in
            // Only a link that is made can be cut.
            try await client.send("hello")
            #expect(try await server.receive(5) == "hello")
            try await proxy.set(.cut)
            #expect(try await client.hasEnded())
            #expect(try await server.hasEnded())
            #expect(proxy.counts.cut == 1)
        }
    }

    @Test func `a proxy answers by itself, and passes on again afterwards`() async throws {
        try await withLink(wire: .opaque) { proxy, client, server in
            try await client.send("hello")
            #expect(try await server.receive(5) == "hello")
            try await proxy.set(.answer("no"))
            #expect(try await client.hasEnded())
            #expect(try await server.hasEnded())
            let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: proxy.port) { Self.async($0) }
            try await connection.executeThenClose { answers, requests in
                let link = LinkEnd(answers, requests)
                try await link.send("one")
                #expect(try await link.receive(2) == "no")
                // It goes on reading, so that a long request is not reset before its answer is read.
                try await link.send("two")
            }
            #expect(proxy.counts.answered == 1)
        }
    }

    @Test func `a black hole keeps what it is sent until it passes again, in order`() async throws {
        try await withLink(wire: .opaque) { proxy, client, server in
            // Only a link that is made can be held.
            try await client.send("zero ")
            #expect(try await server.receive(5) == "zero ")
            try await proxy.set(.blackHole)
            try await client.send("one ")
            try await client.send("two")
            // What the other side sends afterwards is not held up by time alone: it is held up, too.
            try await server.send("three")
            #expect(proxy.counts.held == 1)
            try await proxy.set(.pass)
            #expect(try await server.receive(7) == "one two")
            #expect(try await client.receive(5) == "three")
        }
    }

    private func push(_ channel: String) -> String {
        "*3\r\n$7\r\nmessage\r\n$\(channel.utf8.count)\r\n\(channel)\r\n$2\r\n{}\r\n"
    }

    @Test func `pushes on some channels are dropped, those on others and a server's own are not`() async throws {
        let (room, user, canary) = (push("chat:room:a"), push("chat:user:1"), push("chat:user:!canary"))
        try await withLink(wire: .redis) { proxy, client, server in
            try await proxy.set(.dropPushesOn(channelPrefix: "chat:user:"))
            try await server.send(user + room + user + canary + "+OK\r\n")
            let rest = room + canary + "+OK\r\n"
            #expect(try await client.receive(rest.utf8.count) == rest)
            #expect(proxy.counts.pushesDropped == 2)
            #expect(proxy.counts.pushesPassed == 1)
        }
    }

    @Test func `pushes are dropped, answers and a server's own channel are not`() async throws {
        let (event, canary) = (push("chat:room:a"), push("chat:room:!canary"))
        try await withLink(wire: .redis) { proxy, client, server in
            try await proxy.set(.dropPushes(percent: 100))
            try await server.send(event + "+OK\r\n" + event + canary)
            let rest = "+OK\r\n" + canary
            #expect(try await client.receive(rest.utf8.count) == rest)
            #expect(proxy.counts.pushesDropped == 2)
            try await proxy.set(.pass)
            try await server.send(event)
            #expect(try await client.receive(event.utf8.count) == event)
            #expect(proxy.counts.pushesPassed == 1)
        }
    }
}

/// One end of a connection under test.
private actor LinkEnd {
    private var incoming: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator?
    private let outgoing: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var received = ""

    init(
        _ incoming: NIOAsyncChannelInboundStream<ByteBuffer>, _ outgoing: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.incoming = incoming.makeAsyncIterator()
        self.outgoing = outgoing
    }

    func send(_ text: String) async throws {
        try await outgoing.write(ByteBuffer(string: text))
    }

    /// The next `count` bytes, or what came until the end.
    func receive(_ count: Int) async throws -> String {
        while received.utf8.count < count, let next = try await read() { received += next }
        let text = String(decoding: received.utf8.prefix(count), as: UTF8.self)
        received = String(decoding: received.utf8.dropFirst(count), as: UTF8.self)
        return text
    }

    func hasEnded() async throws -> Bool {
        do { return try await read() == nil } catch is IOError { return true }
    }

    private func read() async throws -> String? {
        // The iterator leaves the actor for the time of the call; nobody else reads meanwhile.
        guard var iterator = incoming else { return nil }
        incoming = nil
        defer { incoming = iterator }
        return try await iterator.next(isolation: self).map { String(buffer: $0) }
    }
}
