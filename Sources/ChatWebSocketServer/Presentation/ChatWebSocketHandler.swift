import ChatEvents
import CommonAuth
import CommonUtil
import Logging
import Metrics
import NIOCore

/// One client's socket after the handshake: the only handler of its channel.
///
/// Inbound it reads frames and answers them; outbound it hands whole, shared frames straight to the socket.
final class ChatWebSocketHandler: ChannelInboundHandler, SessionTransport {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long the peer has to answer a close frame.
    private static let closeTimeout = TimeAmount.seconds(5)

    private enum State {
        case open
        /// A close frame was sent; only the peer's is awaited.
        case closing
        case closed
    }

    /// Until the session begins, which then holds what was lent to it, for as long as it lives and no longer.
    private var verdict: Result<AdmissionService.Admission, CloseReason>?
    private let services: WebSocketServices
    private var context: ChannelHandlerContext?
    private var writer: SocketWriter?
    private var session: ChatSession?
    private var responder: ClientFrameResponder?
    private var parser = WebSocketFrameParser()
    private var frames = TokenBucket(at: .now)
    private var state = State.open
    /// Whether the peer broke the protocol: nothing it sends is understood any more.
    private var isFailed = false
    private var closeDeadline: Scheduled<Void>?

    /// - Parameter verdict: whether the client may come in, decided before the handshake was answered.
    init(verdict: Result<AdmissionService.Admission, CloseReason>, services: WebSocketServices) {
        self.verdict = verdict
        self.services = services
    }

    // MARK: Lifetime

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        writer = SocketWriter(context: context)
        services.openSockets.opened()
        switch verdict.take() {
        case .success(let admission): begin(admission)
        case .failure(let reason): close(reason)
        case nil: break
        }
    }

    private func begin(_ admission: AdmissionService.Admission) {
        let roomID = admission.request.roomID
        let userID = admission.user?.userID
        let session = ChatSession(
            id: services.makeSessionID(), roomID: roomID, userID: userID,
            token: admission.user?.tokenExpiresAt.map { TokenLifetime(expiresAt: $0) }, admittedAt: admission.head,
            shard: admission.shard, transport: self, leases: admission.leases)
        self.session = session
        services.sessions.register(session, head: admission.head, lastSeq: admission.request.lastSeq) { head in
            WebSocketFrame.text(
                SessionEvent.ready(
                    sessionID: session.id, roomID, userID, seq: head,
                    heartbeatSeconds: Heartbeat.pingInterval.components.seconds
                ).jsonBytes)
        }
    }

    /// Ends the session: from here on nothing is delivered to it.
    private func endSession() {
        guard let session else { return }
        self.session = nil
        responder = nil
        services.sessions.remove(session)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if state == .open { services.metrics.ended(.abnormal) }
        state = .closed
        endSession()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        services.openSockets.closed()
        closeDeadline?.cancel()
        state = .closed
        endSession()
        self.context = nil
        writer = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        services.logger.debug("a socket failed", metadata: ["reason": "\(error)"])
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // The server's sockets allow half-closure for HTTP's sake; a WebSocket that cannot speak is gone.
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let session { services.sessions.catchUp(session) }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isFailed else { return }
        parser.append(unwrapInboundIn(data))
        session?.heartbeat.peerSpoke()
        do throws(CloseReason) {
            while state != .closed, let message = try parser.next() { try take(message, context) }
        } catch {
            fail(error, context)
        }
    }

    /// Tells the peer what it did wrong, sends no more and understands nothing more (RFC 6455 section 7.1.7). What it
    /// still sends is read and dropped: bytes left unread would reset the connection, and the reason might be lost.
    private func fail(_ reason: CloseReason, _ context: ChannelHandlerContext) {
        isFailed = true
        parser = WebSocketFrameParser()
        close(reason)
        context.close(mode: .output, promise: nil)
    }

    private func take(
        _ message: WebSocketFrameParser.Message, _ context: ChannelHandlerContext
    ) throws(CloseReason) {
        switch message {
        case .close(let code):
            answerClose(code, context)
        case _ where state != .open, .pong:
            break
        case .ping(let payload):
            try countFrame()
            send(WebSocketFrame.pong(payload))
        case .text(let text):
            try countFrame()
            answer(Array(text.readableBytesView), context)
        }
    }

    private func countFrame() throws(CloseReason) {
        guard frames.take(services.frameLimit.rate, at: .now) != nil else { return }
        services.frameLimit.refusals.increment()
        throw CloseReason(.tooMany, "too many frames")
    }

    private func answer(_ text: [UInt8], _ context: ChannelHandlerContext) {
        guard let session else { return }
        let responder =
            responder ?? ClientFrameResponder(session: session, services: services, eventLoop: context.eventLoop)
        self.responder = responder
        do throws(FrameError) {
            try responder.take(try ClientFrame(text: text))
        } catch {
            send(.error(error))
        }
    }

    private func answerClose(_ code: UInt16?, _ context: ChannelHandlerContext) {
        if state == .open {
            state = .closing
            endSession()
            services.metrics.ended(.normal)
            context.write(wrapOutboundOut(WebSocketFrame.close(echoing: code)), promise: nil)
        }
        context.flush()
        context.close(promise: nil)
    }

    // MARK: Writing

    var isWritable: Bool { state == .open && writer?.isWritable == true }

    var queuedBytes: Int { writer?.queuedBytes ?? 0 }

    var bytesWritten: Int { writer?.bytesWritten ?? 0 }

    func write(_ frames: ByteBuffer) {
        if state == .open { writer?.write(frames) }
    }

    func flush() {
        writer?.willFlush()
        context?.flush()
    }

    func send(_ frames: ByteBuffer) {
        if state == .open { writer?.send(frames) }
    }

    func close(_ reason: CloseReason) {
        guard state == .open, let context else { return }
        state = .closing
        endSession()
        services.metrics.ended(reason.code)
        let frame = WebSocketFrame.close(reason.code, reason: reason.reason)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        closeDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.closeTimeout) { self.abort() }
    }

    func abort() {
        guard state != .closed else { return }
        context?.close(promise: nil)
    }
}

extension WebSocketFrame {
    /// The answer to a peer's close frame carries the same code (RFC 6455 section 5.5.1).
    fileprivate static func close(echoing code: UInt16?) -> ByteBuffer {
        guard let code else { return ByteBuffer(bytes: [0x88, 0x00]) }
        return ByteBuffer(bytes: [0x88, 0x02, UInt8(code >> 8), UInt8(code & 0xFF)])
    }
}
