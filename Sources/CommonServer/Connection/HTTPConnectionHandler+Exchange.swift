import NIOCore

/// The event by which a route says, before it responds, that it reads the body of its request while it writes the response.
struct ExchangeBegins: Sendable {}

/// Requests whose body is read while the response is written, see ``RequestExchange``.
///
/// Such a body has no bound, so its time has none either: what counts is the time since the last bytes, and only while
/// the route wants more of them.
extension HTTPConnectionHandler {
    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is ExchangeBegins else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        guard case .routed = state, let routed, !routed.hasResponseBegun else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        self.routed?.beginExchange()
        promise?.succeed()
        if routed.awaitsContinue { requestBody(context) }
    }

    /// Lets a client go on that waits with the body of its request (RFC 9110 section 10.1.1).
    func requestBody(_ context: ChannelHandlerContext) {
        routed?.bodyRequested()
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    /// Notes that more input is requested. The time for the body of an exchange begins.
    func noteReading(_ context: ChannelHandlerContext) {
        isReading = true
        if routed?.isExchange == true { updateTiming(context) }
    }
}
