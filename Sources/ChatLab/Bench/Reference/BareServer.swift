import ArgumentParser
import ChatLocalStack
import CommonUtil
import Foundation
import NIOCore
import NIOPosix

/// A running ``BareServerCommand``.
struct BareServer: Sendable {
    static let name = "a bare SwiftNIO server"

    let port: Int
    private let process: LocalProcess

    var pid: pid_t { process.pid }

    /// Starts one and waits until it listens.
    static func start() async throws -> BareServer {
        let port = try FreePort.next()
        let tool = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let server = BareServer(
            port: port, process: try LocalProcess(.init(tool, ["bench", "bare-server", "--port", "\(port)"])))
        let deadline = ContinuousClock.now + .seconds(10)
        var backoff = Backoff(first: .milliseconds(10), longest: .milliseconds(100))
        while FreePort.isFree(port) {
            guard server.process.isRunning, ContinuousClock.now < deadline else {
                throw LocalStackError("\(name) did not start")
            }
            try await Task.sleep(for: backoff.next())
        }
        return server
    }

    func stop() async throws {
        try await process.stop()
    }
}

/// `chat-lab bench bare-server`: the reference of the cost of a socket, a process of its own so that its memory and
/// processor time can be read. SwiftNIO alone, with one handler that answers the first bytes with a fixed response.
struct BareServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bare-server", abstract: "What sockets are compared with.", shouldDisplay: false)

    @Option(help: "Where it listens on the loopback address.")
    var port: Int

    func run() async throws {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 4096)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CannedHandshake())
                }
            }
            .bind(host: "127.0.0.1", port: port).get().closeFuture.get()
    }
}

/// Answers any request with the bytes of a handshake and a `ready`.
private final class CannedHandshake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let answer: ByteBuffer = {
        let ready = #"{"eventType":"ready","sessionId":"0","roomId":"bare","seq":0,"heartbeatSeconds":25}"#
        var buffer = ByteBuffer(
            string: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
        buffer.writeBytes([0x80 | ReceivedFrame.text, UInt8(ready.utf8.count)])
        buffer.writeString(ready)
        return buffer
    }()

    private var isAnswered = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        isAnswered = true
        context.writeAndFlush(wrapOutboundOut(Self.answer), promise: nil)
    }
}
