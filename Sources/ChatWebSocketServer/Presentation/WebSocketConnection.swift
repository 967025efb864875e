import NIOCore

/// What speaks over a WebSocket. Confined to the socket's event loop.
protocol WebSocketApplication: AnyObject {
    /// - Parameter message: text, binary or a ping, which the application answers.
    /// - Throws: why the connection is to be closed.
    func received(_ message: WebSocketFrameParser.Message) throws(CloseReason)

    /// Told once, when nothing can be sent any more: a close frame goes or came, or the connection is gone.
    func ended(_ code: CloseCode)
}

/// The protocol of one socket after the handshake: frames in, the close handshake in both directions, and what follows
/// a violation (RFC 6455 sections 5 and 7). What messages mean is the application's. Confined to the socket's event loop.
final class WebSocketConnection {
    /// How long the peer has to answer a close frame.
    private static let closeTimeout = TimeAmount.seconds(5)

    private enum State {
        case open
        /// A close frame was sent; only the peer's is awaited.
        case closing
        case closed
    }

    private let context: ChannelHandlerContext
    /// The application owns this.
    private unowned let application: any WebSocketApplication
    private var parser: WebSocketFrameParser
    private var state = State.open
    /// Whether the peer broke the protocol or said goodbye: nothing it still sends is looked at.
    private var isDeaf = false
    private var closeDeadline: Scheduled<Void>?

    init(context: ChannelHandlerContext, application: any WebSocketApplication, takesBinary: Bool = false) {
        self.context = context
        self.application = application
        parser = WebSocketFrameParser(takesBinary: takesBinary)
    }

    var isOpen: Bool { state == .open }

    func receive(_ bytes: ByteBuffer) {
        guard !isDeaf else { return }
        parser.append(bytes)
        do throws(CloseReason) {
            while !isDeaf, state != .closed, let message = try parser.next() {
                switch message {
                case .close(let code): answerClose(code)
                case .text, .binary, .ping: if isOpen { try application.received(message) }
                case .pong: break
                }
            }
        } catch {
            fail(error)
        }
    }

    func close(_ reason: CloseReason) {
        guard isOpen else { return }
        end(reason.code)
        send(WebSocketFrame.close(reason.code, reason: reason.reason))
        closeDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.closeTimeout) { self.abort() }
    }

    func abort() {
        guard state != .closed else { return }
        context.close(promise: nil)
    }

    /// The channel is closed, or this has no place in it any more.
    func gone() {
        if isOpen { end(.abnormal) }
        state = .closed
        closeDeadline?.cancel()
    }

    /// Tells the peer what it did wrong and sends no more (RFC 6455 section 7.1.7). What it still sends is read and
    /// dropped: bytes left unread would reset the connection, and the reason might be lost.
    private func fail(_ reason: CloseReason) {
        hearNoMore()
        close(reason)
        context.close(mode: .output, promise: nil)
    }

    /// The answer to a peer's close frame carries the same code (RFC 6455 section 5.5.1).
    private func answerClose(_ code: UInt16?) {
        hearNoMore()
        if isOpen {
            end(.normal)
            send(WebSocketFrame.close(echoing: code))
        }
        context.close(promise: nil)
    }

    private func hearNoMore() {
        isDeaf = true
        parser = WebSocketFrameParser()
    }

    private func end(_ code: CloseCode) {
        state = .closing
        application.ended(code)
    }

    private func send(_ frame: ByteBuffer) { context.writeAndFlush(NIOAny(frame), promise: nil) }
}
