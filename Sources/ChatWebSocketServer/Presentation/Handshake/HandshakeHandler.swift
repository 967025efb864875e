import CommonServer
import Logging
import NIOCore

/// The first handler of a connection: reads its first request and answers it, if it is a handshake, by putting the
/// socket's handler in its own place; all else it leaves, untouched, to HTTP. So a socket never has an HTTP pipeline.
final class HandshakeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What may be queued for a socket: above it the session falls behind on the log instead.
    private static let watermark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 * 1_024, high: 256 * 1_024)
    /// What is read of a client that does not wait for the answer to its handshake.
    private static let maximumEarlyBytes = 64 * 1_024

    private enum State {
        case reading
        /// The handshake is a good one; whether the client may come in is being asked.
        case asking(HandshakeResponse)
        /// The socket's handler is being put in place. It writes at once, and a write that fails reads the socket: what
        /// comes then belongs behind what came before.
        case upgrading
        case done
    }

    private let policy: any UpgradePolicy
    private let deadlines: HandshakeDeadlines
    private let http: HTTPConnections
    private let logger: Logger
    private var context: ChannelHandlerContext?
    private var reader = HandshakeReader()
    /// What came behind the handshake: frames of a client that does not wait for the answer.
    private var early = ByteBuffer()
    private var state = State.reading

    init(policy: any UpgradePolicy, deadlines: HandshakeDeadlines, http: HTTPConnections, logger: Logger) {
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

    /// The first request did not come in time.
    func cut() { context?.close(promise: nil) }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .reading:
            take(reader.append(unwrapInboundIn(data)), context)
        case .asking, .upgrading:
            early.writeImmutableBuffer(unwrapInboundIn(data))
        case .done:
            context.fireChannelRead(data)
        }
    }

    func read(context: ChannelHandlerContext) {
        if case .asking = state, early.readableBytes > Self.maximumEarlyBytes { return }
        context.read()
    }

    private func take(_ finding: HandshakeReader.Finding, _ context: ChannelHandlerContext) {
        switch finding {
        case .incomplete:
            break
        case .head(let head):
            guard let answer = policy.answer(to: head) else {
                return fallBack(context)
            }
            early = reader.bytes
            early.moveReaderIndex(forwardBy: head.length)
            ask(answer, context)
        case .other:
            fallBack(context)
        }
    }

    /// Leaves the connection to HTTP, which reads from the first byte on.
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

    private func ask(_ answer: HandshakeResponse, _ context: ChannelHandlerContext) {
        // From here on the deadlines are those of what is asked: who is refused because the database is away is told so.
        deadlines.end(self, on: context.eventLoop)
        state = .asking(answer)
        policy.ask(answer, from: context) { makeHandler in self.upgrade(makeHandler) }
    }

    private func upgrade(_ makeHandler: (ByteBuffer) -> any ChannelHandler) {
        // The client may have gone meanwhile.
        guard case .asking(let answer) = state, let context else { return }
        state = .upgrading
        do {
            try context.channel.syncOptions?.setOption(.writeBufferWaterMark, value: Self.watermark)
            try context.pipeline.syncOperations.addHandler(makeHandler(answer.response))
            guard case .upgrading = state else { return }
            state = .done
            let isReadDue = early.readableBytes > Self.maximumEarlyBytes
            leave(context, passingOn: early)
            if isReadDue { context.read() }
        } catch {
            errorCaught(context: context, error: error)
        }
    }
}
