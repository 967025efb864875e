import NIOCore
import NIOPosix

/// One keep-alive HTTP/1.1 connection for load: requests are written as they are, answers come in order. All of it
/// happens on the connection's event loop, without a task or a future per request.
final class ChatHTTPClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Called with the response; nil when the connection ended before it arrived.
    typealias Completion = (HTTPResponse?) -> Void

    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var waiting = CircularBuffer<Completion>()

    /// Connects and hands the client to `body` on the event loop.
    static func connect(
        port: Int, on eventLoop: any EventLoop, body: @escaping @Sendable (ChatHTTPClient) -> Void
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(10))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ChatHTTPClient())
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .flatMap { channel in
                channel.eventLoop.makeCompletedFuture {
                    body(try channel.pipeline.syncOperations.handler(type: ChatHTTPClient.self))
                    return channel
                }
            }
    }

    /// Sends one request. Several may be under way (pipelining, RFC 9112 section 9.3.2).
    func send(_ request: ByteBuffer, then completion: @escaping Completion) {
        guard let context, context.channel.isActive else { return completion(nil) }
        waiting.append(completion)
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    /// Sends more bytes of the body of the last request.
    func write(_ bytes: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func close() {
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var chunk = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = chunk } else { received.writeBuffer(&chunk) }
        do {
            while !waiting.isEmpty, let response = try HTTPResponseScanner.next(in: &received) {
                waiting.removeFirst()(response)
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        while let completion = waiting.popFirst() { completion(nil) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
