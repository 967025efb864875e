import CommonLogging
import CommonUtil
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Bounds what one request may cost its connection, ends connections whose answer says `Connection: close`, those that
/// make no further request, and, when the server stops, each after its answer.
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
    /// After an answer, without another request.
    static let idleTimeout = TimeAmount.seconds(75)
    /// For how long the rest of an unwanted body is read.
    static let lingerTime = TimeAmount.seconds(2)

    private let headTimeout: TimeAmount
    private var isReading = false
    private var missingAnswers = 0
    private var bytesRead = 0
    private var answerCloses = false
    private var isLingering = false
    /// The server stops: the next answer is the last.
    private var isQuiescing = false
    /// For the head, then for the body, then for what is dropped.
    private var timeout: Scheduled<Void>?
    /// The last that was read of a request or written of its answer.
    private var lastActivity = NIODeadline.distantPast
    private var idleCheck: Scheduled<Void>?
    /// Told when a request has been answered.
    var onAnswer: (() -> Void)?

    public init(headTimeout: TimeAmount = RequestBounds.headTimeout) { self.headTimeout = headTimeout }

    public func channelActive(context: ChannelHandlerContext) {
        waitForHead(of: context.channel)
        context.fireChannelActive()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            guard !isLingering else { return }
            isReading = true
            missingAnswers += 1
            bytesRead = 0
            stopWaiting()
        case .body(let buffer):
            bytesRead += buffer.readableBytes
            guard bytesRead <= Self.maximumReadBytes else { return context.close(promise: nil) }
            guard !isLingering else { return }
        case .end:
            isReading = false
            stopWaiting()
            guard !isLingering else { return context.close(promise: nil) }
        }
        context.fireChannelRead(data)
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        // Nearly all requests arrive in one read and never get here with a timer to set.
        if isReading {
            waitForBody(of: context.channel)
        } else if missingAnswers == 0 {
            // Something was read, and it was no whole head.
            waitForHead(of: context.channel)
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
            if answerCloses || isQuiescing && missingAnswers == 0 {
                return finish(context: context, end: data, promise: promise)
            }
            context.write(data, promise: promise)
            answered(by: context.channel)
            onAnswer?()
            return
        }
        context.write(data, promise: promise)
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        isQuiescing = true
        if missingAnswers == 0 { context.close(promise: nil) }
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
        stopAllTimers()
        context.fireChannelInactive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) { stopAllTimers() }

    private func finish(context: ChannelHandlerContext, end: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise()
        context.writeAndFlush(end, promise: written)
        guard isReading else {
            let channel = context.channel
            return written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        }
        isLingering = true
        stopWaiting()
        close(context.channel, after: Self.lingerTime)
    }

    // MARK: Waiting

    /// No request is under way here.
    var isBetweenRequests: Bool { missingAnswers == 0 && !isReading }

    /// The rest of a head is to come; nothing to do where that is being waited for already.
    func waitForHead(of channel: any Channel) {
        if timeout == nil { close(channel, after: headTimeout) }
    }

    /// The rest of a body is to come.
    func waitForBody(of channel: any Channel) {
        if timeout == nil { close(channel, after: Self.requestTimeout) }
    }

    /// What was waited for is there.
    func stopWaiting() {
        lastActivity = .now()
        timeout?.cancel()
        timeout = nil
    }

    /// From here on the connection is idle, until another request comes.
    func answered(by channel: any Channel) {
        lastActivity = .now()
        // One timer serves many answers: when it fires it looks how long ago the last activity was.
        if idleCheck == nil { checkIdleness(of: channel, at: lastActivity + Self.idleTimeout) }
    }

    private func checkIdleness(of channel: any Channel, at time: NIODeadline) {
        idleCheck = channel.eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            self.idleCheck = nil
            // A direct post that is being answered counts from its arrival; it has an answer long before.
            let due = self.lastActivity + Self.idleTimeout
            if due > .now() {
                self.checkIdleness(of: channel, at: due)
            } else if self.isBetweenRequests, self.timeout == nil {
                channel.close(promise: nil)
            }
        }
    }

    private func close(_ channel: any Channel, after time: TimeAmount) {
        timeout = channel.eventLoop.scheduleTask(in: time) { channel.close(promise: nil) }
    }

    private func stopAllTimers() {
        stopWaiting()
        idleCheck?.cancel()
        idleCheck = nil
    }
}

@available(*, unavailable)
extension RequestBounds: Sendable {}
