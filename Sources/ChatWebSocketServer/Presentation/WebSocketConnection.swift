import NIOCore

/// What speaks over a WebSocket. Confined to the socket's event loop.
protocol WebSocketApplication: AnyObject {
    /// - Parameter message: any frame of the peer but a close frame; a ping is the application's to answer.
    /// - Throws: why the connection is to be closed.
    func received(_ message: WebSocketFrameParser.Message) throws(CloseReason)

    /// Called once, when nothing can be sent any more: a close frame goes or came, or the connection is gone.
    func ended(_ code: CloseCode)
}

/// The I/O of one socket after the handshake: does what ``WebSocketStateMachine`` and ``SocketWriter`` decide. What
/// messages mean is the application's. A session sends through it without anything in between, since that is done for
/// every delivery. Confined to the socket's event loop.
///
/// Every `flush` can come back here before it returns: NIO reads a socket that fails to be written, and closes it. So all
/// state is changed first, and writing is the last thing that each method does.
///
/// A peer that does not read is not read either: while more is queued for it than the channel's watermark, frames that
/// would be answered wait in the kernel. Answers are bounded in the same way as everything else that is sent.
final class WebSocketConnection: SessionTransport {
    /// How long the peer has to answer a close frame.
    private static let closeTimeout = TimeAmount.seconds(5)

    private let context: ChannelHandlerContext
    /// The application owns this.
    private unowned let application: any WebSocketApplication
    private var machine: WebSocketStateMachine
    private var writer: SocketWriter
    private var isReading = false
    private var closeDeadline: Scheduled<Void>?

    init(context: ChannelHandlerContext, application: any WebSocketApplication, takesBinary: Bool = false) {
        self.context = context
        self.application = application
        machine = WebSocketStateMachine(takesBinary: takesBinary)
        writer = SocketWriter(context.channel)
    }

    // MARK: Reading

    func receive(_ bytes: ByteBuffer) {
        machine.append(bytes)
        readFrames()
    }

    /// To be called when the channel's writability changes.
    func writabilityChanged() {
        let isWritable = context.channel.isWritable
        try? context.channel.syncOptions?.setOption(.autoRead, value: isWritable)
        if isWritable { readFrames() }
    }

    private func readFrames() {
        // An answer that fails to be written brings what is left of the input: the loop that sent it goes on with that.
        guard !isReading else { return }
        isReading = true
        defer { isReading = false }
        while writer.hasRoom, let event = machine.next() {
            switch event {
            case .message(let message):
                do throws(CloseReason) {
                    try application.received(message)
                } catch {
                    perform(machine.fail(error))
                }
            case .close(let closing):
                perform(closing)
            }
        }
    }

    // MARK: Writing

    var isWritable: Bool { writer.isWritable }

    var queuedBytes: Int { writer.queuedBytes }

    var bytesWritten: Int { writer.bytesWritten }

    func write(_ frames: ByteBuffer) {
        if writer.willWrite(frames) { context.write(NIOAny(frames), promise: nil) }
    }

    func flush() {
        writer.willFlush()
        context.flush()
    }

    func send(_ frames: ByteBuffer) {
        if let rest = writer.send(frames) { context.writeAndFlush(NIOAny(rest), promise: nil) }
    }

    // MARK: The end

    func close(_ reason: CloseReason) {
        if let closing = machine.close(reason) { perform(closing) }
    }

    func abort() { context.close(promise: nil) }

    /// To be called when the channel is closed, or this has no place in it any more.
    func gone() {
        closeDeadline?.cancel()
        closeDeadline = nil
        writer.finish()
        if let code = machine.connectionClosed() { application.ended(code) }
    }

    private func perform(_ closing: WebSocketStateMachine.Closing) {
        if let code = closing.endsSession { application.ended(code) }
        if closing.frame != nil, closing.then != .close {
            closeDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.closeTimeout) { self.abort() }
        }
        let rest = closing.frame.flatMap { writer.send($0) }
        writer.finish()
        if let rest { context.writeAndFlush(NIOAny(rest), promise: nil) }
        switch closing.then {
        case .awaitPeer: break
        case .closeOutput: context.close(mode: .output, promise: nil)
        case .close: context.close(promise: nil)
        }
    }
}
