import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@testable import RedisClient

@Suite(.timeLimit(.minutes(1))) struct OutageTests {
    @Test func `without a connection commands fail at once`() async throws {
        let redis = try await RedisFixture()
        redis.stop()
        try await Harness.withClient(Harness.configuration(redis), isConnected: false) { client in
            await #expect(throws: RedisError.notConnected) { try await client.ping() }
            #expect(await client.publish([("a", [])]) == [.failure(.notConnected)])
        }
    }

    @Test func `comes back after a restart`() async throws {
        let redis = try await RedisFixture()
        let recorder = LogRecorder()
        try await Harness.withClient(Harness.configuration(redis), logger: recorder.logger) { client in
            try await client.ping()
            redis.stop()
            async let pinging: Void = client.ping()
            try await redis.start()
            // In flight when the server died, it fails.
            _ = try? await pinging
            try await client.untilConnected()
            try await client.ping()
        }
        #expect(recorder.entries.filter { $0.level == .warning }.count == 1)
        #expect(recorder.entries.contains { $0.level == .info && $0.text.contains("Redis is back") })
    }

    @Test func `a silent server is a lost connection, until it responds`() async throws {
        let redis = try await RedisFixture()
        var configuration = try Harness.configuration(redis)
        configuration.commandTimeout = .milliseconds(400)
        configuration.connectTimeout = .milliseconds(400)
        let client = RedisClient(configuration: configuration, eventLoop: Harness.eventLoop, logger: Harness.quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            try await client.untilConnected()
            redis.suspend()
            await #expect(throws: RedisError.timedOut) { try await client.ping() }
            #expect(!client.isConnected)
            await #expect(throws: RedisError.notConnected) { try await client.ping() }
            redis.resume()
            try await client.untilConnected()
            group.cancelAll()
        }
    }

    @Test func `an idle command connection notices a silent server`() async throws {
        let redis = try await RedisFixture()
        var configuration = try Harness.configuration(redis)
        configuration.keepAliveInterval = .milliseconds(100)
        configuration.commandTimeout = .seconds(2)
        try await Harness.withClient(configuration) { client in
            try await client.ping()
            redis.suspend()
            try await until("the end of the connection") { !client.isConnected }
            #expect(client.lastFailure == "no reply in time")
            redis.resume()
            try await client.untilConnected()
            try await client.ping()
        }
    }

    @Test func `malformed replies close the connection and a new one is made`() async throws {
        let server = try await FakeServer.start { connection, command in
            // The first connection shakes hands and then talks nonsense; later ones behave.
            if connection == 1, command == 2 { "?nonsense\r\n" } else { "+PONG\r\n" }
        }
        try await Harness.withClient(Harness.configuration("redis://127.0.0.1:\(server.port)")) { client in
            await #expect(throws: RedisError.connectionLost(outcomeUnknown: true)) { try await client.send("PING") }
            try await client.untilConnected()
            try await client.ping()
        }
        try await server.stop()
    }

    @Test func `an extra reply closes the connection`() async throws {
        let server = try await FakeServer.start { connection, command in
            // After the handshake.
            if connection == 1, command == 2 { "+PONG\r\n+PONG\r\n" } else { "+PONG\r\n" }
        }
        try await Harness.withClient(Harness.configuration("redis://127.0.0.1:\(server.port)")) { client in
            try await client.ping()
            try await until("the second connection") { server.connections == 2 && client.isConnected }
            try await client.ping()
            #expect(server.connections == 2)
        }
        try await server.stop()
    }

    @Test func `a server that accepts and never responds is no connection`() async throws {
        let server = try await FakeServer.start { _, _ in "" }
        var configuration = try Harness.configuration("redis://127.0.0.1:\(server.port)")
        configuration.connectTimeout = .milliseconds(100)
        try await Harness.withSubscription(configuration) { _, events in
            let states = try await events.states.next(2)
            #expect(states == [.connecting, .lost(reason: "no connection in time")])
        }
        try await server.stop()
    }

    @Test func `ends on cancellation while it connects`() async throws {
        let server = try await FakeServer.start { _, _ in "" }
        var configuration = try Harness.configuration("redis://127.0.0.1:\(server.port)")
        configuration.connectTimeout = .seconds(60)
        try await Harness.withClient(configuration, isConnected: false) { _ in
            try await until("a connection") { server.connections > 0 }
        }
        try await server.stop()
    }

    @Test func `graceful shutdown lets commands in flight finish and refuses others`() async throws {
        let redis = try await RedisFixture()
        var configuration = try Harness.configuration(redis)
        configuration.maximumInFlight = 2
        configuration.shutdownGrace = .seconds(20)
        let client = RedisClient(configuration: configuration, eventLoop: Harness.eventLoop, logger: Harness.quiet)
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: client)], logger: Harness.quiet))
        async let running: Void = group.run()
        try await client.untilConnected()
        try await client.ping()
        // Until the shutdown has begun. With a completion the commands are in flight when the call returns.
        redis.suspend()
        let results = EventLog<Result<Int, RedisError>>()
        for _ in 0..<2 { client.publish([("a", [])]) { results.append($0) } }
        await group.triggerGracefulShutdown()
        // More than fit are refused in any case, so nothing is in flight by the question.
        try await until("the shutdown") {
            await client.publish([("a", []), ("a", []), ("a", [])]).first == .failure(.closed)
        }
        #expect(results.batches == 0)
        redis.resume()
        try await running
        #expect(try await results.next(2) == [.success(0), .success(0)])
        await #expect(throws: RedisError.closed) { try await client.ping() }
        await #expect(throws: RedisError.closed) { try await client.run() }
    }
}

/// Answers the commands of each connection, both counted from 1, with a text of the test's choice.
final class FakeServer: Sendable {
    typealias Script = @Sendable (_ connection: Int, _ command: Int) -> String

    let port: Int
    private let channel: any Channel
    private let counter: Counter

    var connections: Int { counter.count.load(ordering: .relaxed) }

    private init(port: Int, channel: any Channel, counter: Counter) {
        self.port = port
        self.channel = channel
        self.counter = counter
    }

    static func start(_ script: @escaping Script) async throws -> FakeServer {
        let counter = Counter()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                let connection = counter.count.wrappingAdd(1, ordering: .relaxed).newValue
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(connection: connection, script: script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeServer(port: channel.localAddress?.port ?? 0, channel: channel, counter: counter)
    }

    func stop() async throws {
        try await channel.close()
    }

    private final class Counter: Sendable {
        let count = Atomic(0)
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let connection: Int
        private let script: Script
        private var commands = 0

        init(connection: Int, script: @escaping Script) {
            self.connection = connection
            self.script = script
        }

        /// One read is one command: the tests send one at a time.
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            commands += 1
            let text = script(connection, commands)
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }
}
