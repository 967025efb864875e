import NIOCore
import NIOWebSocket

/// Passes on the inputs of one read together; answers pings and close frames; ends the connection if the server
/// violates the protocol.
final class WebSocketHandler: ChannelDuplexHandler {
    enum Event: Sendable {
        case inputs([ConnectionInput])
        case end(ConnectionEnd)
    }

    typealias InboundIn = WebSocketFrame
    typealias InboundOut = Event
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private var messages = WebSocketMessages()
    private var inputs: [ConnectionInput] = []
    private var hasEnded = false
    private var hasSentClose = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasEnded else { return }
        do {
            switch try messages.decode(unwrapInboundIn(data)) {
            case .text(let text): inputs.append(.frame(text, id: nil))
            case .pong, .fragment: inputs.append(.activity)
            case .ping(let payload):
                inputs.append(.activity)
                // A server that does not read gets no more pongs.
                guard context.channel.isWritable else { return }
                write(.frame(.pong, payload), context: context)
            case .close(let code, let reason):
                end(.closed(code: code ?? 1005, reason: reason), answer: code ?? 1000, context: context)
            }
        } catch {
            end(.closed(code: 1002, reason: error.reason), answer: error.code, context: context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        handOn(context: context)
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        handOn(context: context)
        context.fireChannelInactive()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Nothing may follow a close frame.
        guard !hasSentClose else {
            promise?.succeed()
            return
        }
        if unwrapOutboundIn(data).opcode == .connectionClose { hasSentClose = true }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The decoder complains about each further byte.
        guard !hasEnded else { return }
        guard let error = error as? NIOWebSocketError else { return context.fireErrorCaught(error) }
        let answer: UInt16 = error == .invalidFrameLength ? 1009 : 1002
        end(.closed(code: 1002, reason: "\(error)"), answer: answer, context: context)
    }

    private func end(_ end: ConnectionEnd, answer: UInt16, context: ChannelHandlerContext) {
        hasEnded = true
        handOn(context: context)
        context.fireChannelRead(wrapInboundOut(.end(end)))
        write(.close(answer), context: context)
    }

    private func handOn(context: ChannelHandlerContext) {
        guard !inputs.isEmpty else { return }
        let event = Event.inputs(inputs)
        inputs = []
        context.fireChannelRead(wrapInboundOut(event))
    }

    private func write(_ frame: WebSocketFrame, context: ChannelHandlerContext) {
        guard !hasSentClose else { return }
        hasSentClose = frame.opcode == .connectionClose
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }
}

extension WebSocketFrame {
    /// A frame of a client, which is masked (RFC 6455 section 5.3).
    static func frame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: payload)
    }

    static func close(_ code: UInt16) -> WebSocketFrame { frame(.connectionClose, ByteBuffer(integer: code)) }
}
