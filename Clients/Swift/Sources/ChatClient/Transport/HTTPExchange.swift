import NIOCore
import NIOHTTP1

/// A request, and the promise of its response.
struct HTTPExchange: Sendable {
    /// A response that was read completely.
    struct Outcome: Sendable {
        let response: ClientResponse
        /// Whether the connection can be used for a further call.
        let isKept: Bool
    }

    /// The connection ended before a byte of the response came.
    struct NoResponse: Error {}

    let head: HTTPRequestHead
    let body: [UInt8]?
    /// The largest body of a response that is read, in bytes.
    let maximumBytes: Int
    let promise: EventLoopPromise<Outcome>
}

/// Makes calls over a connection, one at a time.
final class HTTPExchangeHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPExchange
    typealias OutboundOut = HTTPClientRequestPart

    private var exchange: HTTPExchange?
    private var response: ClientResponse?
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
            response = ClientResponse(head)
            isKept = head.isKeepAlive
        case .body(let bytes):
            guard let exchange, let read = response?.body.count else { return }
            guard read + bytes.readableBytes <= exchange.maximumBytes else {
                let error = ChatError(.protocol, "The answer is too long", status: response?.status)
                return fail(error, context: context)
            }
            response?.body += bytes.readableBytesView
        case .end:
            guard let exchange, let response else { return context.close(promise: nil) }
            (self.exchange, self.response) = (nil, nil)
            exchange.promise.succeed(.init(response: response, isKept: isKept))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error, context: context) }

    func channelInactive(context: ChannelHandlerContext) {
        fail(response == nil ? HTTPExchange.NoResponse() : ChatError.cut, context: context)
        context.fireChannelInactive()
    }

    private func fail(_ error: any Error, context: ChannelHandlerContext) {
        let failed = exchange
        (exchange, response) = (nil, nil)
        context.close(promise: nil)
        failed?.promise.fail(error)
    }
}

extension ClientResponse {
    /// Creates a response of which only the head has come.
    init(_ head: HTTPResponseHead) {
        self.init(status: Int(head.status.code))
        for (name, value) in head.headers { headers[name.lowercased()] = value }
    }
}
