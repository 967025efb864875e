import ArgumentParser
import NIOCore
import NIOPosix

/// `chat-lab bench bare-server`: the reference of what a socket costs, as a process of its own so that its memory and
/// processor time can be read. SwiftNIO alone: one handler, which answers whatever comes first with the same bytes.
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

/// The bytes of a handshake and a `ready`, without looking at what was asked.
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
