import NIOCore

/// Sends every message back, over the very protocol that chat sockets speak, so that suites made by others can test it.
final class EchoHandler: ChannelInboundHandler, WebSocketApplication {
    typealias InboundIn = ByteBuffer

    private let opening: ByteBuffer
    private var connection: WebSocketConnection?
    private var writer: SocketWriter?

    init(opening: ByteBuffer) { self.opening = opening }

    func handlerAdded(context: ChannelHandlerContext) {
        connection = WebSocketConnection(context: context, application: self, takesBinary: true)
        writer = SocketWriter(context: context)
        writer?.send(opening)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection?.receive(unwrapInboundIn(data)) }

    func received(_ message: WebSocketFrameParser.Message) {
        switch message {
        case .text(let text): writer?.send(WebSocketFrame.text(text))
        case .binary(let bytes): writer?.send(WebSocketFrame.binary(bytes))
        case .ping(let payload): writer?.send(WebSocketFrame.pong(payload))
        case .pong, .close: break
        }
    }

    func ended(_ code: CloseCode) {}

    /// Who does not read its echo is not read either.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelInactive(context: ChannelHandlerContext) {
        connection?.gone()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        connection?.gone()
        connection = nil
        writer = nil
    }
}
