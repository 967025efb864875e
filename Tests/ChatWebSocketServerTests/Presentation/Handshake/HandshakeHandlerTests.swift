import CommonUtil
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer
@testable import CommonServer

@Suite(.timeLimit(.minutes(1))) struct HandshakeHandlerTests {
    /// Decides when the test says so.
    private struct LatePolicy: UpgradePolicy {
        let upgrade: NIOLoopBoundBox<Upgrade?>

        func response(to head: RequestHead) -> HandshakeResponse? { EchoUpgradePolicy().response(to: head) }

        func decide(_ response: HandshakeResponse, context: ChannelHandlerContext, upgrade: @escaping Upgrade) {
            self.upgrade.value = upgrade
        }
    }

    @Test func `a client that sends much before it is admitted is read again afterwards`() throws {
        let channel = EmbeddedChannel()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let http = HTTPConnections(
            http: ChatHTTPChannel(responder: { _, _, _ in }, directRoutes: nil, headTimeout: .seconds(10)),
            logger: logger)
        let policy = LatePolicy(upgrade: NIOLoopBoundBox(nil, eventLoop: channel.eventLoop))
        let deadlines = HandshakeDeadlines(eventLoops: [channel.embeddedEventLoop])
        let reads = ReadCounter()
        try channel.pipeline.syncOperations.addHandlers([
            reads, HandshakeHandler(policy: policy, deadlines: deadlines, http: http, logger: logger),
        ])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(
            ByteBuffer(
                string: "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
        try channel.writeInbound(ByteBuffer(repeating: 0, count: 65_537))
        let before = reads.count
        channel.read()
        #expect(reads.count == before)
        policy.upgrade.value?({ _, _ in PassThrough() })
        #expect(reads.count == before + 1)
        #expect(try channel.readInbound(as: ByteBuffer.self)?.readableBytes == 65_537)
        _ = try channel.finish()
    }
}

private final class PassThrough: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
}
