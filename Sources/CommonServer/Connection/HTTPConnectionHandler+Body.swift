import CommonUtil
import NIOCore

/// Bodies that a route reads at its own pace: of uploads (``UploadedBody``), and of requests whose body is read while the
/// response is written (``RequestExchange``).
///
/// Such a body may be long, so its time as a whole has no bound: what counts is the time since the last bytes, and only
/// while the route wants more of them.
extension HTTPConnectionHandler {
    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        switch event {
        case is ExchangeBegins:
            guard case .routed = state, routed?.hasResponseBegun == false else {
                promise?.fail(ChannelError.ioOnClosedChannel)
                return
            }
            routed?.beginExchange()
            promise?.succeed()
        case is UploadAccepted:
            promise?.succeed()
        default:
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        guard case .routed = state, routed?.acceptBody() == true else { return }
        writeContinue(context)
        updateTiming(context)
    }

    /// Lets a client go on that waits with the body of its request (RFC 9110 section 10.1.1).
    func writeContinue(_ context: ChannelHandlerContext) {
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    /// Notes that more input is requested. The time for the next piece of a body begins.
    func noteReading(_ context: ChannelHandlerContext) {
        isInputAwaited = true
        if case .routed = state, routed?.isPaced == true { updateTiming(context) }
    }

    /// Whether the client is to send more of a body.
    var isBodyAwaited: Bool {
        guard let routed, !routed.isBodyComplete else { return false }
        return !routed.isPaced || isInputAwaited && !routed.awaitsContinue
    }

    /// Drops input behind the last response.
    func drop(_ count: Int, _ context: ChannelHandlerContext) {
        bytesDropped += count
        if bytesDropped > RequestBounds.maximumDroppedBytes { close(context) }
    }

    /// Fails the body of a request whose connection has ended. Otherwise the route would take the end of the connection for
    /// the end of the body.
    func failBody(_ context: ChannelHandlerContext) {
        guard routed?.isBodyComplete == false, routed?.isResponseComplete == false else { return }
        context.fireErrorCaught(ChatError.incompleteRequest)
    }
}
