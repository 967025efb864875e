import CommonServer
import Logging
import NIOCore

/// The first handler of a connection. Reads its first request. If that is a WebSocket handshake, replaces itself by the
/// socket's handler; all else it passes, unchanged, to an HTTP pipeline. So a socket never has an HTTP pipeline.
final class HandshakeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes that are read of a client before its handshake is answered.
    private static let maximumEarlyBytes = 64 * 1_024

    private enum State {
        case reading
        /// The handshake is valid; the policy decides about the client.
        case deciding(HandshakeResponse)
        /// The socket's handler is being added. It writes at once, and NIO reads the socket when a write fails: those bytes are kept
        /// behind what was read before.
        case upgrading
        case done
    }

    private let policy: any UpgradePolicy
    private let deadlines: HandshakeDeadlines
    private let http: HTTPConnections
    private let logger: Logger
    /// The connection's descriptor, if it is known.
    private let descriptor: CInt?
    private var context: ChannelHandlerContext?
    private var reader = HandshakeReader()
    /// Bytes after the handshake: frames of a client that does not wait for the response.
    private var early = ByteBuffer()
    private var state = State.reading

    /// - Parameter descriptor: the connection's, if it is known.
    init(
        policy: any UpgradePolicy, deadlines: HandshakeDeadlines, http: HTTPConnections, logger: Logger,
        descriptor: CInt? = nil
    ) {
        self.descriptor = descriptor
        self.policy = policy
        self.deadlines = deadlines
        self.http = http
        self.logger = logger
    }

    // MARK: Lifetime

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        deadlines.begin(self, on: context.eventLoop)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        state = .done
        deadlines.end(self, on: context.eventLoop)
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        state = .done
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch (event, state) {
        case (is ChannelShouldQuiesceEvent, .reading):
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("a connection failed in its handshake", metadata: ["reason": "\(error)"])
        context.close(promise: nil)
    }

    /// Closes the connection, whose first request did not arrive in time.
    func timedOut() { context?.close(promise: nil) }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .reading:
            take(reader.append(unwrapInboundIn(data)), context)
        case .deciding, .upgrading:
            early.writeImmutableBuffer(unwrapInboundIn(data))
        case .done:
            context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        if case .deciding = state, early.readableBytes > Self.maximumEarlyBytes { return }
        context.read()
    }

    private func take(_ finding: HandshakeReader.Finding, _ context: ChannelHandlerContext) {
        switch finding {
        case .incomplete:
            break
        case .head(let head):
            guard let response = policy.response(to: head) else { return fallBack(context) }
            early = reader.bytes
            early.moveReaderIndex(forwardBy: head.length)
            decide(response, context)
        case .other:
            fallBack(context)
        }
    }

    /// Passes the connection to HTTP, which gets all bytes from the first on.
    private func fallBack(_ context: ChannelHandlerContext) {
        state = .done
        do {
            try http.begin(context.channel)
            leave(context, passingOn: reader.bytes)
        } catch {
            errorCaught(context: context, error: error)
        }
    }

    private func leave(_ context: ChannelHandlerContext, passingOn bytes: ByteBuffer) {
        if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    // MARK: Upgrading

    private func decide(_ response: HandshakeResponse, _ context: ChannelHandlerContext) {
        // From here on the timeouts are those of the database, so that the client gets a close code if it is away.
        deadlines.end(self, on: context.eventLoop)
        state = .deciding(response)
        policy.decide(response, context: context) { makeHandler in self.upgrade(makeHandler) }
    }

    private func upgrade(_ makeHandler: (ByteBuffer, CInt?) -> any ChannelHandler) {
        // The connection may have closed meanwhile.
        guard case .deciding(let response) = state, let context else { return }
        state = .upgrading
        do {
            try context.channel.syncOptions?.setOption(.writeBufferWaterMark, value: SocketWriter.watermark)
            try context.pipeline.syncOperations.addHandler(makeHandler(response.bytes, descriptor))
            guard case .upgrading = state else { return }
            state = .done
            let isReadDue = early.readableBytes > Self.maximumEarlyBytes
            let channel = context.channel
            leave(context, passingOn: early)
            // Through the channel: the context of a handler that was removed passes nothing on.
            if isReadDue { channel.read() }
        } catch {
            errorCaught(context: context, error: error)
        }
    }
}

/// Collects the bytes of a connection's first request until they can be classified. Pure: no I/O.
struct HandshakeReader {
    /// A classification of the bytes so far.
    enum Finding {
        case incomplete
        /// A request that may be a handshake: `GET`, HTTP/1.1, no body.
        case head(RequestHead)
        /// Anything else, for an HTTP decoder.
        case other
    }

    /// All bytes so far.
    private(set) var bytes = ByteBuffer()
    private var reader = RequestHeadReader()

    /// Takes more bytes and classifies all of them.
    mutating func append(_ chunk: ByteBuffer) -> Finding {
        bytes.writeImmutableBuffer(chunk)
        let view = bytes.readableBytesView
        guard view.starts(with: "GET ".utf8.prefix(view.count)) else { return .other }
        switch reader.find(in: &bytes) {
        case .incomplete: return .incomplete
        case .head(let head): return head.hasNoBody && !head.isVersion10 ? .head(head) : .other
        case .refused: return .other
        }
    }
}

/// Closes connections whose first request is not complete in time.
///
/// Not by a timer for each: NIO searches all timers of an event loop to cancel one, and clients that never finish their
/// request would make that slow for all.
final class HandshakeDeadlines: Sendable {
    private static let tick = TimeAmount.milliseconds(250)
    private static let ticks = Int(RequestBounds.headTimeout.nanoseconds / tick.nanoseconds)

    private let wheels: [ObjectIdentifier: NIOLoopBoundBox<TimerWheel<HandshakeHandler>>]

    init(eventLoops: some Sequence<any EventLoop>) {
        wheels = Dictionary(
            uniqueKeysWithValues: eventLoops.map { eventLoop in
                let wheel = TimerWheel<HandshakeHandler>(eventLoop: eventLoop, tick: Self.tick, longest: Self.ticks)
                wheel.onDue = { $0.timedOut() }
                return (ObjectIdentifier(eventLoop), .makeBoxSendingValue(wheel, eventLoop: eventLoop))
            })
    }

    /// Starts a connection's deadline. To be called on its event loop, one of those given.
    func begin(_ handler: HandshakeHandler, on eventLoop: any EventLoop) {
        wheels[ObjectIdentifier(eventLoop)]?.value.schedule(handler, in: Self.ticks)
    }

    /// Cancels a connection's deadline. To be called on its event loop.
    func end(_ handler: HandshakeHandler, on eventLoop: any EventLoop) {
        wheels[ObjectIdentifier(eventLoop)]?.value.cancel(handler)
    }
}
