import CommonLogging
import CommonUtil
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Bounds what one request may cost its connection, and ends connections whose answer says `Connection: close`.
///
/// Hummingbird reads the rest of a body that nobody wants, however long it is, and does not close after such an answer.
/// Closing at once is no good either: unread bytes make the kernel reset the connection, and the client may lose the
/// answer. So the rest is read and dropped for a moment (RFC 9112 section 9.6).
public final class RequestBounds: ChannelDuplexHandler, RemovableChannelHandler {
    public typealias InboundIn = HTTPRequestPart
    public typealias InboundOut = HTTPRequestPart
    public typealias OutboundIn = HTTPResponsePart
    public typealias OutboundOut = HTTPResponsePart

    /// Of a JSON body; above it the answer is 413.
    public static let maximumBodyBytes = 64 * 1_024
    /// What is read of one body at most, wanted or not.
    static let maximumReadBytes = 1_024 * 1_024
    /// In which the head of a request must have arrived: from its first byte on, of the first from the connection on.
    public static let headTimeout = TimeAmount.seconds(10)
    /// In which the rest of a request must have arrived.
    static let requestTimeout = TimeAmount.seconds(60)
    /// For how long the rest of an unwanted body is read.
    static let lingerTime = TimeAmount.seconds(2)

    private let headTimeout: TimeAmount
    private var isReading = false
    private var missingAnswers = 0
    private var bytesRead = 0
    private var answerCloses = false
    private var isLingering = false
    /// For the head, then for the body, then for what is dropped.
    private var timeout: Scheduled<Void>?

    public init(headTimeout: TimeAmount = RequestBounds.headTimeout) { self.headTimeout = headTimeout }

    public func channelActive(context: ChannelHandlerContext) {
        closeAfter(headTimeout, context: context)
        context.fireChannelActive()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            guard !isLingering else { return }
            isReading = true
            missingAnswers += 1
            bytesRead = 0
            cancelTimeout()
        case .body(let buffer):
            bytesRead += buffer.readableBytes
            guard bytesRead <= Self.maximumReadBytes else { return context.close(promise: nil) }
            guard !isLingering else { return }
        case .end:
            isReading = false
            cancelTimeout()
            guard !isLingering else { return context.close(promise: nil) }
        }
        context.fireChannelRead(data)
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        // Nearly all requests arrive in one read and never get here with a timer to set.
        if timeout == nil {
            if isReading {
                closeAfter(Self.requestTimeout, context: context)
            } else if missingAnswers == 0 {
                // Something was read, and it was no whole head.
                closeAfter(headTimeout, context: context)
            }
        }
        context.fireChannelReadComplete()
    }

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            answerCloses = head.headerFields[.connection]?.lowercased() == "close"
        case .body:
            break
        case .end:
            missingAnswers -= 1
            if answerCloses { return finish(context: context, end: data, promise: promise) }
        }
        context.write(data, promise: promise)
    }

    /// What follows is not HTTP, or too large a head. Where an earlier request has its answer still to come, Hummingbird
    /// ends the connection.
    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError, missingAnswers == 0, !isLingering else {
            return context.fireErrorCaught(error)
        }
        let problem = ChatError(error == .headerOverflow ? .headerTooLarge : .malformedRequest)
        var answer = WholeAnswer(problem, traceID: TraceContext().traceID)
        answer.headers[.connection] = "close"
        context.write(wrapOutboundOut(.head(answer.head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        // The decoder drops what comes from now on.
        isReading = true
        finish(context: context, end: wrapOutboundOut(.end(nil)), promise: nil)
    }

    public func channelInactive(context: ChannelHandlerContext) {
        cancelTimeout()
        context.fireChannelInactive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) { cancelTimeout() }

    private func finish(context: ChannelHandlerContext, end: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise()
        context.writeAndFlush(end, promise: written)
        guard isReading else {
            let channel = context.channel
            return written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        }
        isLingering = true
        cancelTimeout()
        closeAfter(Self.lingerTime, context: context)
    }

    private func closeAfter(_ time: TimeAmount, context: ChannelHandlerContext) {
        let channel = context.channel
        timeout = context.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }

    private func cancelTimeout() {
        timeout?.cancel()
        timeout = nil
    }
}

@available(*, unavailable)
extension RequestBounds: Sendable {}
