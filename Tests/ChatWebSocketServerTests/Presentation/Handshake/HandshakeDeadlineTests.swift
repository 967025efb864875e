import CommonUtil
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer
@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct HandshakeDeadlineTests {
    private let channel = EmbeddedChannel()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        let http = HTTPConnections(
            http: ChatHTTPChannel(responder: { _, _, _ in }, directRoutes: nil, headTimeout: .seconds(10)),
            logger: logger)
        let deadlines = HandshakeDeadlines(eventLoops: [channel.embeddedEventLoop])
        try channel.pipeline.syncOperations.addHandler(
            HandshakeHandler(policy: EchoUpgradePolicy(), deadlines: deadlines, http: http, logger: logger))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func read(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

    @Test(arguments: ["", "GET / HTTP/1.1\r\nHost: localhost\r\n"])
    func `a connection whose request is incomplete is closed after ten seconds`(beginning: String) throws {
        try read(beginning)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(9_500))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(500))
        #expect(!channel.isActive)
    }

    @Test func `a handshake ends the deadline, and its response is sent first`() throws {
        channel.embeddedEventLoop.advanceTime(by: .seconds(9))
        try read(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        channel.embeddedEventLoop.advanceTime(by: .seconds(100))
        #expect(channel.isActive)
        let answer = try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
        #expect(answer?.hasPrefix("HTTP/1.1 101 ") == true)
        #expect(answer?.hasSuffix("\r\n\r\n") == true)
    }
}
