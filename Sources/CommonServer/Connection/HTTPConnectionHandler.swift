import CommonUtil
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Reads the requests of an HTTP/1.1 connection and writes the responses.
///
/// All requests have the same reader. A request of ``DirectRoutes`` gets its response here, without a task; any other is
/// forwarded to the next handlers, part by part, and their response comes back the same way. Requests are taken one at
/// a time, so responses have the order of the requests (RFC 9112 section 9.3.2). A request of ``StreamRoutes`` can be the
/// last one: then a ``ResponseStream`` writes until the connection ends.
///
/// A client that does not read its responses is not read either: no more bytes are taken while more than the channel's
/// watermark waits to be sent, and 60 s without progress of the peer end the connection.
///
/// A `flush` can fail, and then NIO reads the socket and closes it before the call returns. So each method changes the
/// state first and writes last, or checks the state again after it wrote.
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = ByteBuffer

    enum State {
        /// Between two requests, or in the middle of a head.
        case waiting
        /// The body of a direct request is arriving.
        case reading(DirectRequest)
        case responding(DirectRequest)
        /// The handler of a route decides on a stream.
        case deciding(StreamRequest)
        /// The response is a stream; see ``stream``. Further input is dropped.
        case streaming
        /// The router responds; see ``routed``.
        case routed
        /// The last response is written. Further input is dropped.
        case ending
        /// The channel is closed, or about to be.
        case ended
    }

    let configuration: HTTPConnectionConfiguration
    private let access: ConnectionAccess
    var context: ChannelHandlerContext?
    var state = State.waiting
    var routed: RoutedRequest?
    /// From the beginning of a stream until the channel is closed.
    var stream: (any ResponseStream)?
    private var reader = RequestHeadReader()
    /// Input that is not used yet: at most a head, the body of a direct request, and the bytes of one read.
    var bytes = ByteBuffer()
    var timing: ConnectionTiming
    /// The client has ended its output.
    var isInputClosed = false
    var isStopping = false
    var isReadHeld = false
    /// Whether the next bytes of the client are awaited. False while an upload is read more slowly than it arrives.
    var isInputAwaited = true
    /// Bytes that were dropped after the last response.
    var bytesDropped = 0
    /// Whether input was dropped because of a stream.
    var hasDroppedInput = false
    private(set) var isProceeding = false
    /// Parts were forwarded since the last `channelReadComplete`.
    private var hasForwarded = false

    init(_ configuration: HTTPConnectionConfiguration, access: ConnectionAccess) {
        self.configuration = configuration
        self.access = access
        timing = ConnectionTiming(headTimeout: min(configuration.headTimeout, access.headTimeout))
    }

    // MARK: Input

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timing.wait(for: .firstRequest, at: context.eventLoop.now)
        scheduleCheck(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInputAwaited = false
        switch state {
        case .ended: return
        case .ending: return drop(unwrapInboundIn(data).readableBytes, context)
        case .streaming:
            hasDroppedInput = true
            return
        case .waiting, .reading, .responding, .deciding, .routed: break
        }
        var chunk = unwrapInboundIn(data)
        if bytes.readableBytes == 0 { bytes = chunk } else { bytes.writeBuffer(&chunk) }
        proceed(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        settle(context)
        readOn(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        if context.channel.isWritable { resume(context) }
        if case .streaming = state { stream?.writabilityChanged() }
    }

    func read(context: ChannelHandlerContext) {
        guard !holdsReads(context) else {
            isReadHeld = true
            return
        }
        noteReading(context)
        context.read()
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
        failBody(context)
        state = .ended
        bytes = ByteBuffer()
        stream.take()?.connectionClosed()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        state = .ended
        self.context = nil
        stream.take()?.connectionClosed()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { abort(context) }

    /// Whether input stays in the kernel: the client does not read its responses, or has sent more than one request ahead.
    private func holdsReads(_ context: ChannelHandlerContext) -> Bool {
        switch state {
        case .waiting: !context.channel.isWritable
        case .responding, .deciding: bytes.readableBytes > 0
        case .streaming: hasDroppedInput
        case .routed: routed?.isBodyComplete == true && bytes.readableBytes > 0
        case .reading, .ending, .ended: false
        }
    }

    // MARK: Proceeding

    func resume(_ context: ChannelHandlerContext) {
        proceed(context)
        settle(context)
    }

    /// Takes as much of the input as is possible now.
    private func proceed(_ context: ChannelHandlerContext) {
        guard !isProceeding else { return }
        isProceeding = true
        while step(context) {}
        isProceeding = false
    }

    /// Flushes. A flush that fails reads the rest of the connection before it closes it; that input is not taken until the
    /// caller goes on.
    func withoutProceeding(_ flush: () -> Void) {
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
            // Lets the channel read into the same memory again.
            if bytes.readableBytes == 0 { bytes = ByteBuffer() }
            state = .responding(request)
            respond(to: request, body: body, context)
            return false
        case .routed:
            return routed?.isResponseComplete == true && routed?.isBodyComplete == true
                ? finishRouted(context) : forwardBody(context)
        case .responding, .deciding, .streaming, .ending, .ended:
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
                refuse(error, of: head, context)
                return false
            }
            if access == .all, let (route, user) = configuration.directRoutes?.accept(head) {
                state = .reading(DirectRequest(head, route, user))
                return true
            }
            if access == .all, let request = configuration.streamRoutes?.accept(head) {
                decide(request, context)
            } else {
                beginRouted(head, context)
            }
            return true
        }
    }

    private func beginRouted(_ head: RequestHead, _ context: ChannelHandlerContext) {
        state = .routed
        let isUpload = head.isMethod("POST") && configuration.uploadPaths.contains { head.isPath($0) }
        routed = RoutedRequest(head, isUpload: isUpload)
        bytes.moveReaderIndex(forwardBy: head.length)
        forward(.head(HTTPRequest(head)), context)
        // A body that will be refused for its length is not requested. Those that a route reads at its own pace are, once
        // it does.
        guard head.expectsContinue, !isUpload, bytes.readableBytes == 0,
            head.contentLength <= RequestBounds.maximumBodyBytes, routed?.acceptBody() == true
        else { return }
        writeContinue(context)
    }

    private func forwardBody(_ context: ChannelHandlerContext) -> Bool {
        do {
            switch try routed?.takeBody(&bytes) {
            case nil, .incomplete:
                return false
            case .data(let data):
                forward(.body(data), context)
            case .end:
                if bytes.readableBytes == 0 { bytes = ByteBuffer() }
                forward(.end(nil), context)
            }
            return true
        } catch {
            refuse(error, context)
            return false
        }
    }

    private func forward(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        hasForwarded = true
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func finishRouted(_ context: ChannelHandlerContext) -> Bool {
        let closes = routed?.closes == true
        routed = nil
        timing.responseCompleted()
        state = .waiting
        guard !closes, !isStopping else {
            end(context)
            return false
        }
        return true
    }

    /// Completes a turn in which all available input was taken.
    private func settle(_ context: ChannelHandlerContext) {
        if hasForwarded {
            hasForwarded = false
            context.fireChannelReadComplete()
        }
        if isInputClosed { endInput(context) }
        updateTiming(context)
        if isReadHeld, !holdsReads(context) {
            isReadHeld = false
            noteReading(context)
            context.read()
        }
    }

    /// Handles the end of the client's output once all input was taken.
    private func endInput(_ context: ChannelHandlerContext) {
        switch state {
        case .waiting where !context.channel.isWritable: break
        case .waiting where bytes.readableBytes == 0: end(context)
        case .waiting, .reading: refuse(.incompleteRequest, context)
        case .routed: if routed?.isBodyComplete == false { refuse(.incompleteRequest, context) }
        // A client that closes its connection cannot be distinguished from one that only ends its output.
        case .streaming: close(context)
        case .ending where timing.current == .clientToClose: close(context)
        case .responding, .deciding, .ending, .ended: break
        }
    }

    // MARK: Responses of the router

    /// Whether the next response is the last, whatever its request says.
    private var isLast: Bool { isStopping || access == .operations }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .routed = state, routed?.isResponseComplete == false else {
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
        guard case .routed = state, let routed, routed.isResponseComplete else { return }
        if routed.closes, !routed.isBodyComplete { end(context) }
        resume(context)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        // The task behind has ended its output. For this handler that is only the end of a response.
        guard mode == .output else { return context.close(mode: mode, promise: promise) }
        promise?.succeed()
        switch state {
        case .ending, .ended: break
        case .routed where routed?.isResponseComplete == false: abort(context)
        case .waiting, .reading, .responding, .deciding, .streaming, .routed: end(context)
        }
    }
}

@available(*, unavailable)
extension HTTPConnectionHandler: Sendable {}
