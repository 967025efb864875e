import ChatTestSupport
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import RedisClient

/// Connections that fail while they are being written: NIO then reads what is left of them and closes them, before the
/// write returns.
@Suite(.timeLimit(.minutes(2))) struct FailingConnectionTests {
    private let channel = EmbeddedChannel()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    private func fail(_ handler: any ChannelHandler, unread: RESPValue...) throws {
        let transport = FailingTransport(unread: [unread.map { RESPFrame.value($0) }])
        try channel.pipeline.syncOperations.addHandlers([transport, handler])
        channel.embeddedEventLoop.run()
        #expect(transport.hasFailed)
        #expect(!channel.isActive)
    }

    @Test(arguments: ["b", String(repeating: "b", count: 20_000)])
    func `replies that were there are delivered, and all other commands fail`(second: String) async throws {
        let inbox = CommandInbox(maximumCommands: 100, maximumBytes: 100_000)
        let lost = channel.eventLoop.makePromise(of: String.self)
        let handler = CommandHandler(
            inbox: inbox, configuration: RedisConfiguration(), metrics: CommandMetrics(prefix: "test"), lost: lost)
        let batches = ["a", second, "c"].map {
            CommandBatch(ByteBuffer(string: $0), count: 1, deadline: channel.embeddedEventLoop.now + .seconds(2))
        }
        let transport = FailingTransport(unread: [[RESPFrame.value(.integer(1))]])
        try channel.pipeline.syncOperations.addHandlers([transport, handler])
        for batch in batches { try inbox.submit(batch) }
        channel.embeddedEventLoop.run()
        #expect(transport.hasFailed)
        let failure = CommandBatch.Reply.failure(.connectionLost(outcomeUnknown: true))
        #expect(await batches[0].replies() == [.success(.integer(1))])
        #expect(await batches[1].replies() == [failure])
        #expect(await batches[2].replies() == [failure])
        #expect(!inbox.isUp)
        #expect(try await lost.futureResult.get() == "closed by the server")
    }

    @Test func `a handshake that fails while it is written fails once`() throws {
        let established = channel.eventLoop.makePromise(of: Void.self)
        let handshake = Handshake(try RedisConfiguration(url: "redis://:secret@127.0.0.1"))
        try fail(
            RedisHandshakeHandler(handshake, established: established), unread: .error("ERR no"), .simpleString("OK"))
        #expect(throws: ConnectionFailure.self) { try established.futureResult.wait() }
    }

    @Test func `a subscription that fails while it is written is lost, and keeps its names`() throws {
        let states = Mutex<[RedisSubscription.State]>([])
        let session = SubscriptionSession(
            configuration: RedisConfiguration(), metrics: SubscriptionMetrics(prefix: "test"), logger: logger,
            onMessages: { _ in }, onStateChange: { state in states.withLock { $0.append(state) } })
        session.perform(SubscriptionRequest(["chat:room:*"], kind: .pattern, isAdding: true))
        let lost = channel.eventLoop.makePromise(of: String.self)
        try fail(SubscriptionHandler(session: session, lost: lost), unread: .simpleString("PONG"))
        #expect(states.withLock { $0 } == [.lost(reason: "closed by the server")])
        #expect(try lost.futureResult.wait() == "closed by the server")
    }
}
