import NIOCore
import NIOEmbedded
import Testing

@testable import RedisClient

/// The handler on a channel and a clock of the test's own.
@Suite(.timeLimit(.minutes(2))) struct CommandHandlerTests {
    private let channel = EmbeddedChannel()
    private let inbox = CommandInbox(maximumCommands: 100, maximumBytes: 100_000)
    private let lost: EventLoopFuture<String>

    init() throws {
        var configuration = RedisConfiguration()
        configuration.keepAliveInterval = .seconds(5)
        configuration.commandTimeout = .seconds(2)
        let promise = channel.eventLoop.makePromise(of: String.self)
        lost = promise.futureResult
        let handler = CommandHandler(
            inbox: inbox, configuration: configuration, metrics: CommandMetrics(prefix: "test"), lost: promise)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// A batch of commands that has two seconds from now.
    private func submit(_ text: String, count: Int = 1) throws -> CommandBatch {
        let deadline = channel.embeddedEventLoop.now + .seconds(2)
        let batch = CommandBatch(ByteBuffer(string: text), count: count, deadline: deadline)
        try inbox.submit(batch)
        return batch
    }

    private func written() throws -> String? {
        channel.embeddedEventLoop.run()
        return try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
    }

    private func receive(_ values: RESPValue...) throws {
        try channel.writeInbound(values.map { RESPFrame.value($0) })
    }

    @Test func `what gathers in one turn of the loop is written at once`() async throws {
        let first = try submit("a")
        let second = try submit("bc", count: 2)
        #expect(try written() == "abc")
        #expect(try written() == nil)
        try receive(.integer(1), .integer(2), .error("ERR"))
        #expect(await first.replies() == [.success(.integer(1))])
        #expect(await second.replies() == [.success(.integer(2)), .failure(.server("ERR"))])
    }

    @Test func `a large command is written as it is, in its place`() throws {
        let large = String(repeating: "x", count: 20_000)
        _ = (try submit("a"), try submit(large), try submit("b"))
        #expect(try [written(), written(), written(), written()] == ["a", large, "b", nil])
    }

    @Test func `a command whose caller left before it was written is not written`() throws {
        try submit("a").fail(.cancelled)
        _ = try submit("b")
        #expect(try written() == "b")
    }

    @Test func `the late command times out, and those behind it are lost`() async throws {
        let late = try submit("a")
        let behind = try submit("b", count: 2)
        #expect(try written() == "ab")
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1_999))
        #expect(inbox.isUp)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!inbox.isUp)
        #expect(await late.replies() == [.failure(.timedOut)])
        #expect(
            await behind.replies() == Array(repeating: .failure(.connectionLost(outcomeUnknown: true)), count: 2))
        #expect(try await lost.get() == "no reply in time")
        #expect(!channel.isActive)
    }

    @Test func `what was not written when the connection broke was not executed`() async throws {
        let sent = try submit("a")
        _ = try written()
        let unsent = try submit("b")
        channel.pipeline.fireChannelInactive()
        #expect(await sent.replies() == [.failure(.connectionLost(outcomeUnknown: true))])
        #expect(await unsent.replies() == [.failure(.connectionLost(outcomeUnknown: false))])
        #expect(try await lost.get() == "closed by the server")
    }

    @Test func `an idle connection asks for life, a busy one does not`() throws {
        channel.embeddedEventLoop.advanceTime(by: .seconds(4))
        #expect(try written() == nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(try written() == "*1\r\n$4\r\nPING\r\n")
        try receive(.simpleString("PONG"))
        channel.embeddedEventLoop.advanceTime(by: .seconds(4))
        _ = try submit("a")
        #expect(try written() == "a")
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(try written() == nil)
        try receive(.integer(1))
        channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(try written() == "*1\r\n$4\r\nPING\r\n")
        channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!inbox.isUp)
    }

    @Test func `a reply without a command closes the connection`() throws {
        try receive(.integer(1))
        #expect(!inbox.isUp)
        #expect(!channel.isActive)
    }
}
