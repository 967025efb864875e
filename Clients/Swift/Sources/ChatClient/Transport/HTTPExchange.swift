import NIOCore
import NIOHTTP1

/// A request, and the promise of its answer.
struct HTTPExchange: Sendable {
    /// An answer that was read whole.
    struct Outcome: Sendable {
        let answer: HTTPAnswer
        /// Whether the connection can be used for a further call.
        let isKept: Bool
    }

    /// The connection ended before a byte of the answer came.
    struct NoAnswer: Error {}

    let head: HTTPRequestHead
    let body: [UInt8]?
    /// The largest body of an answer that is read, in bytes.
    let maximumBytes: Int
    let promise: EventLoopPromise<Outcome>
}

/// Makes calls over a connection, one at a time.
final class HTTPExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPExchange
    typealias OutboundOut = HTTPClientRequestPart

    private var exchange: HTTPExchange?
    private var answer: HTTPAnswer?
    private var isKept = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let exchange = unwrapOutboundIn(data)
        self.exchange = exchange
        // A write that fails closes the connection, and that ends the exchange.
        context.write(wrapOutboundOut(.head(exchange.head)), promise: nil)
        if let body = exchange.body {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        }
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            answer = HTTPAnswer(head)
            isKept = head.isKeepAlive
        case .body(let bytes):
            guard let exchange, let read = answer?.body.count else { return }
            guard read + bytes.readableBytes <= exchange.maximumBytes else {
                let error = ChatError(.protocol, "The answer is too long", status: answer?.status)
                return fail(error, context: context)
            }
            answer?.body += bytes.readableBytesView
        case .end:
            guard let exchange, let answer else { return context.close(promise: nil) }
            (self.exchange, self.answer) = (nil, nil)
            exchange.promise.succeed(.init(answer: answer, isKept: isKept))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error, context: context) }

    func channelInactive(context: ChannelHandlerContext) {
        fail(answer == nil ? HTTPExchange.NoAnswer() : ChatError.cut, context: context)
        context.fireChannelInactive()
    }

    private func fail(_ error: any Error, context: ChannelHandlerContext) {
        let failed = exchange
        (exchange, answer) = (nil, nil)
        context.close(promise: nil)
        failed?.promise.fail(error)
    }
}

extension HTTPAnswer {
    /// An answer of which only the head has come.
    init(_ head: HTTPResponseHead) {
        self.init(status: Int(head.status.code))
        for (name, value) in head.headers { headers[name.lowercased()] = value }
    }
}
