import NIOCore

/// The application of a WebSocket, above the protocol. Confined to the socket's event loop.
protocol WebSocketApplication: AnyObject {
    /// Takes a frame of the peer.
    /// - Parameter message: any frame but a close frame. The application responds to pings.
    /// - Throws: a reason to close the connection.
    func received(_ message: WebSocketFrameParser.Message) throws(CloseReason)

    /// Called once, when nothing can be sent any more: a close frame was sent or received, or the connection closed.
    func ended(_ code: CloseCode)
}

/// The I/O of one socket after the handshake: does what ``WebSocketStateMachine`` and ``SocketWriter`` decide. A session sends
/// through it directly, since that is done for every delivery. Confined to the socket's event loop.
///
/// Every `flush` can call back before it returns: NIO reads a socket whose write failed, and closes it. So all state is
/// changed first, and writing is the last action of each method.
///
/// A peer that does not read is not read either: while more than the channel's watermark is queued for it, its frames wait
/// in the kernel. So responses are bounded like everything else that is sent.
final class WebSocketConnection: SessionTransport {
    /// Time for the peer's answer to a close frame.
    private static let closeTimeout = TimeAmount.seconds(5)
    /// Time between two reads of a peer that broke the protocol or a limit. What it still sends is dropped, but a peer that
    /// sends as fast as it can would take the event loop's time until the timeout.
    private static let dropInterval = TimeAmount.milliseconds(50)

    private let context: ChannelHandlerContext
    /// The application owns this.
    private unowned let application: any WebSocketApplication
    private var machine: WebSocketStateMachine
    // Without the runtime's exclusivity check, which would be 190 instructions of each delivery. A writer calls nothing back:
    // it asks the channel for its state and the kernel to send, and leaves the pipeline to this connection.
    @exclusivity(unchecked) private var writer: SocketWriter
    private var isReading = false
    /// Whether the peer's bytes are only read to be dropped.
    private var isDropping = false
    private var closeDeadline: Scheduled<Void>?

    /// - Parameter descriptor: the socket's, as ``SocketWriter/init(_:descriptor:mayBeQueued:)`` takes it.
    init(
        context: ChannelHandlerContext, application: any WebSocketApplication, takesBinary: Bool = false,
        descriptor: CInt? = nil
    ) {
        self.context = context
        self.application = application
        machine = WebSocketStateMachine(takesBinary: takesBinary)
        writer = SocketWriter(context.channel, descriptor: descriptor)
    }

    // MARK: Reading

    /// Takes bytes of the peer.
    func receive(_ bytes: ByteBuffer) {
        machine.append(bytes)
        readFrames()
    }

    /// Stops or resumes reading. To be called when the channel's writability changes.
    func writabilityChanged() {
        guard !isDropping else { return }
        let isWritable = context.channel.isWritable
        try? context.channel.syncOptions?.setOption(.autoRead, value: isWritable)
        if isWritable { readFrames() }
    }

    private func dropInput() {
        guard !isDropping else { return }
        isDropping = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        dropMore()
    }

    private func dropMore() {
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.dropInterval) {
            guard self.closeDeadline != nil else { return }
            self.dropMore()
            self.context.read()
        }
    }

    private func readFrames() {
        // NIO reads the socket when a write fails, and so calls this within the loop below, which takes those bytes, too.
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

    let format = EventFormat.webSocket

    var isWritable: Bool { writer.isWritable }

    var queuedBytes: Int { writer.queuedBytes }

    var bytesWritten: Int { writer.bytesWritten }

    func write(_ frames: ByteBuffer) {
        if let held = writer.makeWay(for: frames) { context.write(NIOAny(held), promise: nil) }
        if let now = writer.write(frames) { context.write(NIOAny(now), promise: nil) }
    }

    func flush() {
        switch writer.flush() {
        case .nothing: break
        case .flush: context.flush()
        case .writeAndFlush(let rest): context.writeAndFlush(NIOAny(rest), promise: nil)
        }
    }

    func send(_ frames: ByteBuffer) {
        if let rest = writer.send(frames) { context.writeAndFlush(NIOAny(rest), promise: nil) }
    }

    // MARK: The end

    func close(_ reason: CloseReason) {
        if let closing = machine.close(reason) { perform(closing) }
    }

    func ping() { send(WebSocketFrame.ping()) }

    func abort() { context.close(promise: nil) }

    /// Ends the connection. To be called when the channel is closed, or its handler removed.
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
        case .closeOutput:
            dropInput()
            context.close(mode: .output, promise: nil)
        case .close: context.close(promise: nil)
        }
    }
}
