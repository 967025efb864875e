import CommonUtil
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Reads the requests of an HTTP/1.1 connection and writes the answers.
///
/// There is one reader for all requests. A call of ``DirectRoutes`` is answered here, without a task; any other request
/// goes to the handlers behind, part by part, and their answer comes back the same way. Requests are taken one at a
/// time, so answers go out in the order of the requests (RFC 9112 section 9.3.2).
///
/// A client that does not read its answers is not read either: nothing more is taken from the connection while more
/// waits to be sent than the channel's watermark, and 60 s without progress of the peer end it.
///
/// A `flush` can fail, and then NIO reads the socket and closes it before the call returns. So each method changes the
/// state first and writes last, or looks at the state anew after it wrote.
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = ByteBuffer

    enum State {
        /// Between two requests, or in the middle of a head.
        case waiting
        /// The body of a direct call is arriving.
        case reading(DirectRequest)
        case answering(DirectRequest)
        /// A route answers; see ``routed``.
        case routed
        /// The last answer is written. What still comes is dropped.
        case ending
        /// The channel is closed, or about to be.
        case ended
    }

    let configuration: HTTPConnectionConfiguration
    private let access: ConnectionAccess
    var context: ChannelHandlerContext?
    var state = State.waiting
    var routed: RoutedRequest?
    private var reader = RequestHeadReader()
    /// What came and was not used yet: at most a head, a direct call's body, and what one read adds.
    var bytes = ByteBuffer()
    var timing: ConnectionTiming
    /// The client sends no more.
    var isInputClosed = false
    var isStopping = false
    var isReadHeld = false
    private var isProceeding = false
    /// The handlers behind were given something since they were last told that a read is complete.
    private var hasHandedOn = false

    init(_ configuration: HTTPConnectionConfiguration, access: ConnectionAccess) {
        self.configuration = configuration
        self.access = access
        timing = ConnectionTiming(headTimeout: min(configuration.headTimeout, access.headTimeout))
    }

    // MARK: Arriving

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timing.wait(for: .firstRequest, at: context.eventLoop.now)
        scheduleCheck(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .ending, .ended: return
        case .waiting, .reading, .answering, .routed: break
        }
        var chunk = unwrapInboundIn(data)
        if bytes.readableBytes == 0 { bytes = chunk } else { bytes.writeBuffer(&chunk) }
        proceed(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { settle(context) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        if context.channel.isWritable { resume(context) }
    }

    func read(context: ChannelHandlerContext) {
        if holdsReads(context) { isReadHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            resume(context)
        case is ChannelShouldQuiesceEvent:
            stop(context)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state = .ended
        bytes = ByteBuffer()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        state = .ended
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { abort(context) }

    /// Whether what the client sends stays in the kernel: it does not read its answers, or has said more than one request
    /// ahead.
    private func holdsReads(_ context: ChannelHandlerContext) -> Bool {
        switch state {
        case .waiting: !context.channel.isWritable
        case .answering: bytes.readableBytes > 0
        case .routed: routed?.isBodyWhole == true && bytes.readableBytes > 0
        case .reading, .ending, .ended: false
        }
    }

    // MARK: Proceeding

    private func resume(_ context: ChannelHandlerContext) {
        proceed(context)
        settle(context)
    }

    /// Takes what can be taken now.
    private func proceed(_ context: ChannelHandlerContext) {
        guard !isProceeding else { return }
        isProceeding = true
        while step(context) {}
        isProceeding = false
    }

    /// Flushes. One that fails reads what is left of the connection before it closes it: that waits.
    private func withoutProceeding(_ flush: () -> Void) {
        let wasProceeding = isProceeding
        isProceeding = true
        flush()
        isProceeding = wasProceeding
    }

    /// - Returns: whether there may be more to do.
    private func step(_ context: ChannelHandlerContext) -> Bool {
        switch state {
        case .waiting:
            guard bytes.readableBytes > 0, context.channel.isWritable else { return false }
            return begin(context)
        case .reading(let request):
            let head = request.head
            guard bytes.readableBytes >= head.length + head.contentLength else { return false }
            bytes.moveReaderIndex(forwardBy: head.length)
            let body = bytes.readBytes(length: head.contentLength) ?? []
            // The channel reads into the same memory again, if nobody holds it.
            if bytes.readableBytes == 0 { bytes = ByteBuffer() }
            state = .answering(request)
            answer(request, body: body, context)
            return false
        case .routed:
            return routed?.isAnswered == true && routed?.isBodyWhole == true
                ? finishRouted(context) : handOnBody(context)
        case .answering, .ending, .ended:
            return false
        }
    }

    private func begin(_ context: ChannelHandlerContext) -> Bool {
        switch reader.find(in: &bytes) {
        case .incomplete:
            return false
        case .refused(let error):
            refuse(error, context)
            return false
        case .head(let head):
            if let error = access.refusal(of: head) {
                refuse(error, context)
                return false
            }
            if access == .all, let (route, user) = configuration.directRoutes?.accept(head) {
                state = .reading(DirectRequest(head, route, user))
                return true
            }
            beginRouted(head, context)
            return true
        }
    }

    private func beginRouted(_ head: RequestHead, _ context: ChannelHandlerContext) {
        state = .routed
        routed = RoutedRequest(head)
        bytes.moveReaderIndex(forwardBy: head.length)
        handOn(.head(HTTPRequest(head)), context)
        // A body that will be refused for its length is not asked for.
        guard head.expectsContinue, bytes.readableBytes == 0, head.contentLength <= RequestBounds.maximumBodyBytes
        else {
            return
        }
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    private func handOnBody(_ context: ChannelHandlerContext) -> Bool {
        do {
            switch try routed?.takeBody(&bytes) {
            case nil, .incomplete:
                return false
            case .data(let data):
                handOn(.body(data), context)
            case .end:
                if bytes.readableBytes == 0 { bytes = ByteBuffer() }
                handOn(.end(nil), context)
            }
            return true
        } catch {
            refuse(error, context)
            return false
        }
    }

    private func handOn(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        hasHandedOn = true
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func finishRouted(_ context: ChannelHandlerContext) -> Bool {
        let closes = routed?.closes == true
        routed = nil
        timing.answered()
        state = .waiting
        guard !closes, !isStopping else {
            end(context)
            return false
        }
        return true
    }

    /// Done when there is no more to take for now.
    private func settle(_ context: ChannelHandlerContext) {
        if hasHandedOn {
            hasHandedOn = false
            context.fireChannelReadComplete()
        }
        if isInputClosed { endInput(context) }
        updateTiming(context)
        if isReadHeld, !holdsReads(context) {
            isReadHeld = false
            context.read()
        }
    }

    /// All that the client sent has been looked at, and no more will come.
    private func endInput(_ context: ChannelHandlerContext) {
        switch state {
        case .waiting where !context.channel.isWritable: break
        case .waiting where bytes.readableBytes == 0: end(context)
        case .waiting, .reading: refuse(Self.notWhole, context)
        case .routed: if routed?.isBodyWhole == false { refuse(Self.notWhole, context) }
        case .ending where timing.current == .clientToClose: close(context)
        case .answering, .ending, .ended: break
        }
    }

    private static let notWhole = ChatError(.malformedRequest, "The request did not arrive whole")

    // MARK: Direct calls

    private func answer(_ request: DirectRequest, body: [UInt8], _ context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        request.answer(body) { result in
            eventLoop.execute { bound.value.handler.finish(result, bound.value.context) }
        }
    }

    private func finish(_ result: Result<DirectResponse, any Error>, _ context: ChannelHandlerContext) {
        // The connection may have ended meanwhile.
        guard case .answering(let request) = state, let routes = configuration.directRoutes else { return }
        timing.answered()
        state = .waiting
        let bytes = request.bytes(of: result, routes, isLast: isStopping, context.channel.allocator)
        guard !isStopping else {
            context.write(wrapOutboundOut(bytes), promise: nil)
            return end(context)
        }
        withoutProceeding { context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
        resume(context)
    }

    // MARK: Answers of routes

    /// Whether the next answer is the last, whatever its request says.
    private var isLast: Bool { isStopping || access == .operations }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .routed = state, routed?.isAnswered == false else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let allocator = context.channel.allocator
        let piece: ByteBuffer?
        switch unwrapOutboundIn(data) {
        case .head(let head): piece = routed?.begin(head, isLast: isLast, allocator)
        case .body(let body): piece = routed?.frame(body, allocator)
        case .end: piece = routed?.end()
        }
        context.write(wrapOutboundOut(piece ?? ByteBuffer()), promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        withoutProceeding { context.flush() }
        guard case .routed = state, let routed, routed.isAnswered else { return }
        if routed.closes, !routed.isBodyWhole { end(context) }
        resume(context)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // The loop behind has come to its end, which for this handler is only the end of a request.
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        promise?.succeed()
        switch state {
        case .ending, .ended: break
        case .routed where routed?.isAnswered == false: abort(context)
        case .waiting, .reading, .answering, .routed: end(context)
        }
    }
}

@available(*, unavailable)
extension HTTPConnectionHandler: Sendable {}
