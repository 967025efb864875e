import NIOCore
import NIOPosix

/// One WebSocket for load, on its event loop alone: shakes hands, answers pings and hands on each text frame.
final class ChatWebSocketClient: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Event {
        case text(ByteBuffer)
        /// The end, with the close code if the server gave one.
        case closed(UInt16?)
    }

    struct Refused: Error, CustomStringConvertible {
        var description: String
    }

    private let request: String
    private let onEvent: (Event) -> Void
    private let upgraded: EventLoopPromise<Void>
    private var isUpgraded = false
    /// Whether the caller has the channel. Before, frames wait: some are to be answered.
    private var isHandedOver = false
    private var closeCode: UInt16?
    private var received = ByteBuffer()

    private init(path: String, upgraded: EventLoopPromise<Void>, onEvent: @escaping (Event) -> Void) {
        // The key need not be random: there is no cache in between.
        request =
            "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        self.upgraded = upgraded
        self.onEvent = onEvent
    }

    /// Connects and succeeds once the server has agreed to the upgrade. `handler` makes, on the event loop, what events
    /// are handed to there.
    static func connect(
        port: Int, path: String, on eventLoop: any EventLoop,
        handler: @escaping @Sendable () -> (Event) -> Void
    ) -> EventLoopFuture<any Channel> {
        let upgraded = eventLoop.makePromise(of: Void.self)
        let connected = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(10))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A second read that finds nothing would double the system calls.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ChatWebSocketClient(path: path, upgraded: upgraded, onEvent: handler()))
                }
            }
            .connect(host: "127.0.0.1", port: port)
        connected.whenFailure { upgraded.fail($0) }
        let result = connected.and(upgraded.futureResult).map { channel, _ in channel }
        result.whenSuccess { channel in
            // Behind what the caller does with the channel at once.
            eventLoop.execute { channel.triggerUserOutboundEvent(HandedOver(), promise: nil) }
        }
        return result
    }

    private struct HandedOver: Sendable {}

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var chunk = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = chunk } else { received.writeBuffer(&chunk) }
        do {
            if !isUpgraded {
                guard let response = try HTTPResponseScanner.next(in: &received) else { return }
                guard response.status == 101 else {
                    throw Refused(description: "The WebSocket handshake was answered with \(response.status)")
                }
                isUpgraded = true
                upgraded.succeed()
            }
            if isHandedOver { try readFrames(context) }
        } catch {
            errorCaught(context: context, error: error)
        }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is HandedOver else { return context.triggerUserOutboundEvent(event, promise: promise) }
        isHandedOver = true
        do {
            try readFrames(context)
        } catch {
            errorCaught(context: context, error: error)
        }
    }

    private func readFrames(_ context: ChannelHandlerContext) throws {
        while let frame = try ReceivedFrameReader.next(in: &received) { handle(frame, context) }
    }

    private func handle(_ frame: ReceivedFrame, _ context: ChannelHandlerContext) {
        switch frame.opcode {
        case ReceivedFrame.text:
            onEvent(.text(frame.payload))
        case ReceivedFrame.ping:
            let pong = ReceivedFrameReader.clientFrame(ReceivedFrame.pong, frame.payload)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case ReceivedFrame.close:
            closeCode = frame.payload.getInteger(at: frame.payload.readerIndex)
            context.close(promise: nil)
        default:
            break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        upgraded.fail(Refused(description: "The connection ended during the WebSocket handshake"))
        if isUpgraded, !isHandedOver { try? readFrames(context) }
        onEvent(.closed(closeCode))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        upgraded.fail(error)
        context.close(promise: nil)
    }
}

extension Channel {
    /// Sends a text frame of a client.
    func sendText(_ text: String) {
        writeAndFlush(
            ReceivedFrameReader.clientFrame(ReceivedFrame.text, ByteBuffer(string: text)), promise: nil)
    }
}
