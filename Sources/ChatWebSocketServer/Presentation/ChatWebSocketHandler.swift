import ChatEvents
import CommonAuth
import CommonUtil
import Logging
import Metrics
import NIOCore

/// One client's socket after the handshake: the only handler of its channel.
///
/// It answers frames; what is delivered to the session goes by its ``WebSocketConnection`` alone.
final class ChatWebSocketHandler: ChannelInboundHandler, WebSocketApplication {
    typealias InboundIn = ByteBuffer

    /// Until it is sent.
    private var opening: ByteBuffer
    /// Until the session begins, which then holds what was lent to it, for as long as it lives and no longer.
    private var verdict: Result<AdmissionService.Admission, CloseReason>?
    private let services: WebSocketServices
    private var context: ChannelHandlerContext?
    private var session: ChatSession?
    private var responder: ClientFrameResponder?
    private var connection: WebSocketConnection?
    private var frames = TokenBucket(at: .now)

    /// - Parameters:
    ///   - opening: the answer to the handshake.
    ///   - verdict: whether the client may come in, decided before.
    init(
        opening: ByteBuffer, verdict: Result<AdmissionService.Admission, CloseReason>, services: WebSocketServices
    ) {
        self.opening = opening
        self.verdict = verdict
        self.services = services
    }

    // MARK: Lifetime

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let connection = WebSocketConnection(context: context, application: self)
        self.connection = connection
        services.openSockets.opened()
        switch verdict.take() {
        case .success(let admission):
            begin(admission, on: connection)
        case .failure(let reason):
            connection.write(opening)
            connection.close(reason)
        case nil: break
        }
    }

    private func begin(_ admission: AdmissionService.Admission, on connection: WebSocketConnection) {
        let roomID = admission.request.roomID
        let userID = admission.user?.userID
        let session = ChatSession(
            id: services.makeSessionID(), roomID: roomID, userID: userID,
            token: admission.user.flatMap { TokenLifetime($0, now: .now) }, admittedAt: admission.head,
            shard: admission.shard, transport: connection, leases: admission.leases)
        self.session = session
        services.sessions.register(session, head: admission.head, lastSeq: admission.request.lastSeq) { head in
            let ready = SessionEvent.ready(
                sessionID: session.id, roomID, userID, seq: head,
                heartbeatSeconds: Heartbeat.pingInterval.components.seconds)
            var first = opening
            opening = ByteBuffer()
            first.writeImmutableBuffer(WebSocketFrame.text(ready.jsonBytes))
            return first
        }
    }

    /// From here on nothing is delivered to the session.
    func ended(_ code: CloseCode) {
        services.metrics.ended(code)
        guard let session else { return }
        self.session = nil
        services.sessions.remove(session)
        responder.take()?.sessionEnded()
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection?.gone()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        services.openSockets.closed()
        connection?.gone()
        connection = nil
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        services.logger.debug("a socket failed", metadata: ["reason": "\(error)"])
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection?.writabilityChanged()
        if context.channel.isWritable, let session { services.sessions.catchUp(session) }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        session?.heartbeat.peerSpoke()
        connection?.receive(unwrapInboundIn(data))
    }

    func received(_ message: WebSocketFrameParser.Message) throws(CloseReason) {
        try countFrame()
        switch message {
        case .ping(let payload): connection?.send(WebSocketFrame.pong(payload))
        case .text(let text): answer(Array(text.readableBytesView))
        case .binary, .pong, .close, .fragment: break
        }
    }

    private func countFrame() throws(CloseReason) {
        guard frames.take(services.frameLimit.rate, at: .now) != nil else { return }
        services.frameLimit.refusals.increment()
        throw CloseReason(.tooMany, "too many frames")
    }

    private func answer(_ text: [UInt8]) {
        guard let session, let context else { return }
        let responder =
            responder ?? ClientFrameResponder(session: session, services: services, eventLoop: context.eventLoop)
        self.responder = responder
        do throws(FrameError) {
            try responder.take(try ClientFrame(text: text))
        } catch {
            session.transport.send(.error(error))
        }
    }
}
