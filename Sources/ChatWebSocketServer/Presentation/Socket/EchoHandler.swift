import CommonServer
import CommonUtil
import NIOCore

/// Echoes every message, over the same protocol code as chat sockets, so that conformance suites can test it.
final class EchoHandler: ChannelInboundHandler, WebSocketApplication {
    typealias InboundIn = ByteBuffer

    private let opening: ByteBuffer
    private var connection: WebSocketConnection?

    init(opening: ByteBuffer) { self.opening = opening }

    func handlerAdded(context: ChannelHandlerContext) {
        let connection = WebSocketConnection(context: context, application: self, takesBinary: true)
        self.connection = connection
        connection.send(opening)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection?.receive(unwrapInboundIn(data)) }

    func received(_ message: WebSocketFrameParser.Message) {
        switch message {
        case .text(let text): connection?.send(WebSocketFrame.text(text))
        case .binary(let bytes): connection?.send(WebSocketFrame.binary(bytes))
        case .ping(let payload): connection?.send(WebSocketFrame.pong(payload))
        case .pong, .close, .fragment: break
        }
    }

    func ended(_ code: CloseCode) {}

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection?.writabilityChanged()
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
    }
}

/// The policy of the echo server: upgrades every client, whatever the path.
struct EchoUpgradePolicy: UpgradePolicy {
    func response(to head: RequestHead) -> HandshakeResponse? {
        HandshakeResponse(head, paths: nil, allowedOrigins: .any)
    }

    func decide(_ response: HandshakeResponse, context: ChannelHandlerContext, upgrade: @escaping Upgrade) {
        upgrade { opening, _ in EchoHandler(opening: opening) }
    }
}
