import CommonAuth
import CommonLogging
import CommonUtil
import DequeModule
import HTTPTypes
import Logging
import NIOCore
import NIOHTTPTypes

/// Answers the calls of ``DirectRoutes`` itself and hands all others on, one connection's answers in the order of its
/// requests (RFC 9112 section 9.3.2): what arrives while that order asks for patience is held, and with it the end of
/// the stream, a parse error or the wish to close, so that they overtake no answer.
final class DirectRequestHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Arrival {
        case part(HTTPRequestPart)
        case event(Any)
        case error(any Error)
    }

    /// A direct call whose body is arriving, then one that is being answered.
    private struct Call {
        let head: HTTPRequest
        let route: DirectRoutes.Route
        let user: AuthenticatedUser
        let start = ContinuousClock.now
        let trace: TraceContext
        var body: [UInt8] = []

        init(_ head: HTTPRequest, _ route: DirectRoutes.Route, _ user: AuthenticatedUser) {
            self.head = head
            self.route = route
            self.user = user
            trace = TraceContext(traceparent: head.headerFields[.traceparent])
        }
    }

    /// While something is held no more is read, beyond what one read brings.
    private var held = Deque<Arrival>()
    private var isReadHeld = false
    private var call: Call?
    private var isAnswering = false
    /// Requests that were handed on and are not answered yet.
    private var handedOn = 0
    private let routes: DirectRoutes

    init(_ routes: DirectRoutes) { self.routes = routes }

    // MARK: Arriving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        arrive(.part(unwrapInboundIn(data)), context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { arrive(.event(event), context) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { arrive(.error(error), context) }

    func read(context: ChannelHandlerContext) {
        if held.isEmpty { context.read() } else { isReadHeld = true }
    }

    private func arrive(_ arrival: Arrival, _ context: ChannelHandlerContext) {
        if !held.isEmpty || !take(arrival, context) { held.append(arrival) }
    }

    private func takeHeld(_ context: ChannelHandlerContext) {
        guard !held.isEmpty else { return }
        while let first = held.first, take(first, context) { held.removeFirst() }
        // What was handed on came in a read that is long over, and Hummingbird waits for its end.
        context.fireChannelReadComplete()
        guard isReadHeld, held.isEmpty else { return }
        isReadHeld = false
        context.read()
    }

    /// - Returns: whether it could be taken now.
    private func take(_ arrival: Arrival, _ context: ChannelHandlerContext) -> Bool {
        guard !isAnswering else { return false }
        switch arrival {
        case .part(.head(let head)):
            guard let (route, user) = routes.accept(head) else {
                handedOn += 1
                context.fireChannelRead(wrapInboundOut(.head(head)))
                return true
            }
            guard handedOn == 0 else { return false }
            call = Call(head, route, user)
        case .part(.body(let buffer)) where call != nil:
            call?.body.append(contentsOf: buffer.readableBytesView)
        case .part(.end) where call != nil:
            answer(context)
        case .part(let part): context.fireChannelRead(wrapInboundOut(part))
        case .event(let event): context.fireUserInboundEventTriggered(event)
        case .error(let error): context.fireErrorCaught(error)
        }
        return true
    }

    // MARK: Answering

    private func answer(_ context: ChannelHandlerContext) {
        guard let call else { return }
        isAnswering = true
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        let finish: @Sendable (Result<DirectAnswer, any Error>) -> Void = { result in
            eventLoop.execute { bound.value.handler.finish(result, bound.value.context) }
        }
        let (route, direct) = (call.route, DirectCall(user: call.user, body: call.body))
        route.admission(call.user) { refusal in
            if let refusal { finish(.failure(refusal)) } else { route.answer(direct, finish) }
        }
    }

    private func finish(_ result: Result<DirectAnswer, any Error>, _ context: ChannelHandlerContext) {
        // The connection may have ended meanwhile.
        guard isAnswering, let call = call.take() else { return }
        isAnswering = false
        write(result, to: call, context)
        takeHeld(context)
    }

    private func write(
        _ result: Result<DirectAnswer, any Error>, to call: Call, _ context: ChannelHandlerContext
    ) {
        let requestID = RequestID.accepted(call.head.headerFields[.requestID]) ?? call.trace.spanID
        let logger = {
            var logger = self.routes.envelope.logger(traceID: call.trace.traceID, requestID: requestID)
            logger[metadataKey: "userId"] = .stringConvertible(call.user.userID)
            return logger
        }
        var answer: WholeAnswer
        switch result {
        case .success(let value):
            answer = WholeAnswer(jsonBytes: value.body, status: value.status)
        case .failure(let error):
            answer = WholeAnswer(error: error, traceID: call.trace.traceID, logger: logger)
        }
        answer.headers[.date] = routes.date.text
        routes.envelope.finish(&answer.headers, requestID: requestID, origin: call.head.headerFields[.origin])
        context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        routes.envelope.report(
            method: call.head.method, path: call.route.path, route: call.route.path, status: answer.status,
            duration: .now - call.start, logger: logger)
    }

    /// Answers of requests that were handed on.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        context.write(data, promise: promise)
        handedOn -= 1
        takeHeld(context)
    }

    // MARK: Ending

    func channelInactive(context: ChannelHandlerContext) {
        held.removeAll()
        isAnswering = false
        call = nil
        context.fireChannelInactive()
    }
}

@available(*, unavailable)
extension DirectRequestHandler: Sendable {}
