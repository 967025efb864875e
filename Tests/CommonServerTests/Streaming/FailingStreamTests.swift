import ChatTestSupport
import CommonUtil
import NIOCore
import NIOEmbedded
import Testing

@testable import CommonServer

/// Streams whose connection fails while it is being written: NIO then reads what is left of it and closes it, before the
/// write returns.
@Suite(.timeLimit(.minutes(2))) struct FailingStreamTests {
    private let channel = EmbeddedChannel()
    private let recorder = StreamRecorder()

    private static let unread = [ByteBuffer(string: StreamConnectionTests.stream), ByteBuffer(string: "nonsense\n\n")]

    private func open(failsAtFlush: Int) throws -> FailingTransport<ByteBuffer> {
        let transport = FailingTransport(failsAtFlush: failsAtFlush, unread: Self.unread)
        try channel.pipeline.syncOperations.addHandlers([
            transport, ConnectionFixture.handler(nil, streams: recorder.routes(on: channel.eventLoop)),
        ])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        return transport
    }

    private func request() {
        channel.pipeline.fireChannelRead(ByteBuffer(string: StreamConnectionTests.stream))
        channel.pipeline.fireChannelReadComplete()
        channel.embeddedEventLoop.run()
    }

    /// Timers of the connection run out; an embedded event loop insists on it.
    private func finish() { channel.embeddedEventLoop.advanceTime(by: .seconds(200)) }

    @Test(arguments: [1, 2, 3]) func `a stream whose write fails is informed once`(flush: Int) throws {
        let transport = try open(failsAtFlush: flush)
        recorder.decision = recorder.begin
        request()
        let stream = try #require(recorder.streams.first)
        if flush > 1 { stream.send("more\n") }
        if flush > 2 { stream.end() }
        #expect(transport.hasFailed && !channel.isActive)
        finish()
        #expect(stream.closes == 1 && recorder.streams.count == 1)
        stream.end()
        stream.abort()
    }

    @Test(arguments: [true, false]) func `a refusal whose write fails is the last response`(isLate: Bool) throws {
        let transport = try open(failsAtFlush: 1)
        let refusal = StreamDecision.refuse(ChatError(.notFound))
        if !isLate { recorder.decision = refusal }
        request()
        if isLate { recorder.decideNow(refusal) }
        #expect(transport.hasFailed && !channel.isActive)
        finish()
        #expect(recorder.streams.isEmpty && recorder.pending.isEmpty)
    }
}
