import ChatEvents
import CommonAuth
import CommonUtil
import Logging
import Metrics
import NIOCore

/// One client's socket after the handshake: the only handler of its channel.
///
/// Responds to frames. What the session gets is sent by its ``WebSocketConnection`` alone.
final class ChatWebSocketHandler: ChannelInboundHandler, WebSocketApplication {
    typealias InboundIn = ByteBuffer

    /// The response to the handshake, until it is sent.
    private var opening: ByteBuffer
    /// The admission, until the session begins. From then on only the session holds its leases.
    private var admission: Result<SocketAdmission, CloseReason>?
    /// The socket's descriptor, if it is known.
    private let descriptor: CInt?
    private let services: WebSocketServices
    private var context: ChannelHandlerContext?
    private var session: ChatSession?
    /// Made with the first frame, since most sockets of rooms only listen.
    private var responder: (any FrameResponder)?
    private var connection: WebSocketConnection?
    private var frames = TokenBucket(at: .now)

    /// - Parameters:
    ///   - opening: the response to the handshake.
    ///   - descriptor: the socket's, if it is known.
    ///   - admission: what the session begins with, or why the client is refused.
    init(
        opening: ByteBuffer, descriptor: CInt? = nil, admission: Result<SocketAdmission, CloseReason>,
        services: WebSocketServices
    ) {
        self.opening = opening
        self.descriptor = descriptor
        self.admission = admission
        self.services = services
    }

    // MARK: Lifetime

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let connection = WebSocketConnection(context: context, application: self, descriptor: descriptor)
        self.connection = connection
        services.openSockets.opened()
        switch admission.take() {
        case .success(.room(let admission)):
            begin(admission, on: connection)
        case .success(.user(let admission)):
            begin(admission, on: connection, context.eventLoop)
        case .failure(let reason):
            connection.write(opening)
            connection.close(reason)
        case nil: break
        }
    }

    private func begin(_ admission: AuthorizedAdmission, on connection: WebSocketConnection) {
        let session = ChatSession(admission: admission, transport: connection)
        self.session = session
        services.sessions.register(session, ready: first(session.format.encode(session.ready(admission))))
    }

    private func begin(_ admission: UserAdmission, on connection: WebSocketConnection, _ eventLoop: any EventLoop) {
        let user = services.userSessions.begin(admission, transport: connection, on: eventLoop)
        session = user.session
        let responder = UserFrameResponder(
            user: user, isSynchronized: admission.synchronizesAtOnce, services: services, eventLoop: eventLoop)
        self.responder = responder
        services.sessions.register(userSession: user.session, ready: first(user.ready))
        responder.begin()
    }

    /// The response to the handshake, and the first frame.
    private func first(_ frame: ByteBuffer) -> ByteBuffer {
        var first = opening
        opening = ByteBuffer()
        first.writeImmutableBuffer(frame)
        return first
    }

    /// Removes the session: nothing is delivered to it any more.
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
        if context.channel.isWritable, let session { services.sessions.advance(session) }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        session?.heartbeat.received()
        connection?.receive(unwrapInboundIn(data))
    }

    func received(_ message: WebSocketFrameParser.Message) throws(CloseReason) {
        try countFrame()
        switch message {
        case .ping(let payload): connection?.send(WebSocketFrame.pong(payload))
        case .text(let text): execute(Array(text.readableBytesView))
        case .binary, .pong, .close, .fragment: break
        }
    }

    private func countFrame() throws(CloseReason) {
        guard frames.take(services.frameLimit.rate, at: .now) != nil else { return }
        services.frameLimit.refusals.increment()
        throw CloseReason(.tooMany, "too many frames")
    }

    private func execute(_ text: [UInt8]) {
        guard let session, let context else { return }
        if responder == nil, let roomID = session.subscription?.roomID {
            responder = ClientFrameResponder(
                session: session, roomID: roomID, services: services, eventLoop: context.eventLoop)
        }
        do throws(FrameError) {
            try responder?.execute(text)
        } catch {
            session.transport.send(.error(error))
        }
    }
}
