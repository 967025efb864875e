import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import Logging
import NIOCore

/// The first handler of a connection: answers the calls of ``DirectRoutes`` itself, without the HTTP pipeline behind it,
/// and hands all other requests on to that, one at a time. One connection's answers go out in the order of its requests
/// (RFC 9112 section 9.3.2): what arrives while one is being answered is held, and with it the end of the stream or the
/// wish to close, so that they overtake no answer.
///
/// What ``RequestHead`` does not read is left to the pipeline, and with it all that follows.
final class DirectRequestHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A class, since the state that holds it is looked at often.
    private final class Call {
        let head: RequestHead
        let route: DirectRoutes.Route
        let user: AuthenticatedUser
        let start = ContinuousClock.now
        let trace: TraceContext

        init(_ head: RequestHead, _ route: DirectRoutes.Route, _ user: AuthenticatedUser) {
            self.head = head
            self.route = route
            self.user = user
            trace = TraceContext(traceparent: head["traceparent"])
        }
    }

    private enum State {
        /// Between two requests, or in the middle of a head.
        case waiting
        /// A direct call whose body is arriving.
        case reading(Call)
        case answering(Call)
        /// A request for the pipeline, of which so many bytes are still to come; then it is being answered.
        case handingOn(remaining: Int)
        /// For good.
        case leftToHTTP
    }

    private let routes: DirectRoutes
    private let bounds: RequestBounds
    private var state = State.waiting
    private var reader = RequestHeadReader()
    /// What came and was not used yet; more than one read's worth only of a request that is not whole yet.
    private var bytes = ByteBuffer()
    private var heldEvents: [Any] = []
    private var isReadHeld = false
    private var isProceeding = false
    /// The pipeline has been given something since it was last told that a read is complete.
    private var hasHandedOn = false

    /// - Parameter bounds: those of the HTTP pipeline behind.
    init(_ routes: DirectRoutes, bounds: RequestBounds) {
        self.routes = routes
        self.bounds = bounds
    }

    // MARK: Arriving

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        bounds.onAnswer = { bound.value.handler.answeredByHTTP(bound.value.context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { bounds.onAnswer = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .leftToHTTP = state {
            hasHandedOn = true
            return context.fireChannelRead(data)
        }
        var chunk = unwrapInboundIn(data)
        if bytes.readableBytes == 0 { bytes = chunk } else { bytes.writeBuffer(&chunk) }
        proceed(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { completeRead(context) }

    func read(context: ChannelHandlerContext) {
        if isBusy, bytes.readableBytes > 0 { isReadHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        let isHeld =
            switch state {
            case .reading, .answering: true
            case .handingOn: bytes.readableBytes > 0
            case .waiting, .leftToHTTP: false
            }
        if isHeld || !heldEvents.isEmpty { heldEvents.append(event) } else { pass(event, context) }
    }

    /// A request is being answered, here or behind.
    private var isBusy: Bool {
        switch state {
        case .answering, .handingOn(remaining: 0): true
        case .waiting, .reading, .handingOn, .leftToHTTP: false
        }
    }

    /// Takes what can be taken now.
    private func proceed(_ context: ChannelHandlerContext) {
        guard !isProceeding else { return }
        isProceeding = true
        while step(context) {}
        isProceeding = false
        guard !isBusy else { return }
        releaseEvents(context)
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    private func releaseEvents(_ context: ChannelHandlerContext) {
        if case .reading = state { return }
        let events = heldEvents
        heldEvents.removeAll()
        for event in events { pass(event, context) }
    }

    /// - Returns: whether there may be more to do.
    private func step(_ context: ChannelHandlerContext) -> Bool {
        switch state {
        case .waiting:
            return bytes.readableBytes > 0 && begin(context)
        case .reading(let call):
            let length = call.head.length + call.head.contentLength
            guard bytes.readableBytes >= length else { return false }
            bytes.moveReaderIndex(forwardBy: call.head.length)
            let body = bytes.readBytes(length: call.head.contentLength) ?? []
            // The channel reads into the same memory again, if nobody holds it.
            if bytes.readableBytes == 0 { bytes = ByteBuffer() }
            bounds.stopWaiting()
            state = .answering(call)
            answer(call, body: body, context)
            return false
        case .answering:
            return false
        case .handingOn(remaining: 0):
            guard bounds.isBetweenRequests else { return false }
            state = .waiting
            return true
        case .handingOn(let remaining):
            guard let chunk = bytes.readSlice(length: min(remaining, bytes.readableBytes)), chunk.readableBytes > 0
            else { return false }
            state = .handingOn(remaining: remaining - chunk.readableBytes)
            handOn(chunk, context)
            return true
        case .leftToHTTP:
            let rest = bytes
            bytes = ByteBuffer()
            if rest.readableBytes > 0 { handOn(rest, context) }
            return false
        }
    }

    private func begin(_ context: ChannelHandlerContext) -> Bool {
        switch reader.find(in: bytes) {
        case .incomplete:
            return false
        case .head(let head):
            if let (route, user) = routes.accept(head) {
                state = .reading(Call(head, route, user))
            } else {
                state = .handingOn(remaining: head.length + head.contentLength)
            }
        case .other:
            state = .leftToHTTP
        }
        bounds.stopWaiting()
        return true
    }

    private func handOn(_ chunk: ByteBuffer, _ context: ChannelHandlerContext) {
        hasHandedOn = true
        context.fireChannelRead(wrapInboundOut(chunk))
    }

    private func pass(_ event: Any, _ context: ChannelHandlerContext) {
        // The end of the stream in the middle of a head is for HTTP to judge.
        if event as? ChannelEvent == .inputClosed, bytes.readableBytes > 0 {
            state = .leftToHTTP
            proceed(context)
            completeRead(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func completeRead(_ context: ChannelHandlerContext) {
        if hasHandedOn {
            hasHandedOn = false
            context.fireChannelReadComplete()
        }
        switch state {
        case .waiting where bytes.readableBytes > 0: bounds.waitForHead(of: context.channel)
        case .reading: bounds.waitForBody(of: context.channel)
        case .waiting, .answering, .handingOn, .leftToHTTP: break
        }
    }

    /// The pipeline has answered what it was handed.
    private func answeredByHTTP(_ context: ChannelHandlerContext) {
        guard case .handingOn(remaining: 0) = state else { return }
        proceed(context)
        completeRead(context)
    }

    // MARK: Answering

    private func answer(_ call: Call, body: [UInt8], _ context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        let finish: @Sendable (Result<DirectAnswer, any Error>) -> Void = { result in
            eventLoop.execute { bound.value.handler.finish(result, bound.value.context) }
        }
        let (route, direct) = (call.route, DirectCall(user: call.user, body: body))
        route.admission(call.user) { refusal in
            if let refusal { finish(.failure(refusal)) } else { route.answer(direct, finish) }
        }
    }

    private func finish(_ result: Result<DirectAnswer, any Error>, _ context: ChannelHandlerContext) {
        // The connection may have ended meanwhile.
        guard case .answering(let call) = state else { return }
        state = .waiting
        bounds.answered(by: context.channel)
        let bytes = answer(to: call, result, context.channel.allocator)
        // A flush that fails reads what is left of the connection and closes it, before it returns: what is read waits.
        isProceeding = true
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        isProceeding = false
        proceed(context)
        completeRead(context)
    }

    /// Makes the bytes of an answer, and leaves the request's log line and measurement behind.
    private func answer(
        to call: Call, _ result: Result<DirectAnswer, any Error>, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let requestID = RequestID.accepted(call.head["x-request-id"]) ?? call.trace.spanID
        let logger = {
            var logger = self.routes.envelope.logger(traceID: call.trace.traceID, requestID: requestID)
            logger[metadataKey: "userId"] = .stringConvertible(call.user.userID)
            return logger
        }
        let origin = call.head["origin"]
        let (status, bytes): (HTTPResponse.Status, ByteBuffer)
        if case .success(let answer) = result, origin == nil {
            status = answer.status
            bytes = routes.heads.bytes(of: answer, requestID: requestID, allocator)
        } else {
            var answer =
                switch result {
                case .success(let value): WholeAnswer(jsonBytes: value.body, status: value.status)
                case .failure(let error): WholeAnswer(error: error, traceID: call.trace.traceID, logger: logger)
                }
            answer.headers[.date] = routes.date.text
            routes.envelope.finish(&answer.headers, requestID: requestID, origin: origin)
            (status, bytes) = (answer.status, answer.bytes(allocator))
        }
        routes.envelope.report(
            method: .post, path: call.route.path, route: call.route.path, status: status,
            duration: .now - call.start, logger: logger)
        return bytes
    }

    // MARK: Ending

    func channelInactive(context: ChannelHandlerContext) {
        state = .leftToHTTP
        bytes = ByteBuffer()
        heldEvents.removeAll()
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension DirectRequestHandler: Sendable {}
