import CommonLogging
import CommonUtil
import HTTPTypes
import NIOCore

/// How an HTTP connection ends, and the deadlines by which it does.
extension HTTPConnectionHandler {
    // MARK: Ending

    /// Answers what is no request, or none that goes on, and ends the connection.
    func refuse(_ error: ChatError, _ context: ChannelHandlerContext) {
        guard routed?.isAnswerBegun != true else { return abort(context) }
        var answer = BufferedResponse(error, traceID: TraceContext().traceID)
        answer.headers[.date] = configuration.date.text
        answer.headers[.connection] = "close"
        state = .ending
        context.write(wrapOutboundOut(answer.bytes(context.channel.allocator)), promise: nil)
        end(context, isReadWhole: false)
    }

    func end(_ context: ChannelHandlerContext) {
        let isReadWhole = routed?.isBodyWhole != false && bytes.readableBytes == 0
        end(context, isReadWhole: isReadWhole)
    }

    /// Ends the connection once all that was written is sent. What has not been read then is read and dropped for a
    /// moment.
    func end(_ context: ChannelHandlerContext, isReadWhole: Bool) {
        state = .ending
        bytes = ByteBuffer()
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenComplete { _ in
            let (handler, context) = bound.value
            handler.ended(context, isReadWhole: isReadWhole)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
    }

    private func ended(_ context: ChannelHandlerContext, isReadWhole: Bool) {
        guard case .ending = state else { return }
        guard !isReadWhole, !isInputClosed else { return close(context) }
        timing.wait(for: .clientToClose, at: context.eventLoop.now)
        scheduleCheck(context, in: RequestBounds.lingerTime)
        // Tells the client at once that this was the last answer.
        if !context.pipeline.syncOperations.isEncrypted { context.close(mode: .output, promise: nil) }
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }

    /// Closes the channel with the farewell of TLS, if there is any: not from within an event or a write of TLS, which
    /// would have it lost.
    func close(_ context: ChannelHandlerContext) {
        state = .ended
        context.eventLoop.assumeIsolated().execute { context.close(promise: nil) }
    }

    /// Ends the connection now, whatever waits to be sent.
    func abort(_ context: ChannelHandlerContext) {
        state = .ended
        context.channel.abort()
    }

    /// The server stops: the answer to a request under way is the last.
    func stop(_ context: ChannelHandlerContext) {
        guard !isStopping else { return }
        isStopping = true
        scheduleCheck(context, in: RequestBounds.stopTime)
        timing.stop(at: context.eventLoop.now)
        if case .waiting = state { end(context, isReadWhole: true) }
    }

    // MARK: Time

    func updateTiming(_ context: ChannelHandlerContext) {
        let wait: ConnectionTiming.Wait? =
            switch state {
            case .waiting where bytes.readableBytes > 0: context.channel.isWritable ? .head : nil
            case .waiting: .nextRequest
            case .reading: .body
            case .routed: routed?.isBodyWhole == false ? .body : nil
            case .answering: nil
            case .ending, .ended: timing.current
            }
        timing.wait(for: wait, at: context.eventLoop.now)
    }

    /// Whether it is the client that this connection waits for.
    private func waitsForClient(_ context: ChannelHandlerContext) -> Bool {
        switch state {
        case .waiting, .reading, .ending: true
        case .routed: routed?.isBodyWhole == false || !context.channel.isWritable
        case .answering, .ended: false
        }
    }

    func scheduleCheck(_ context: ChannelHandlerContext, in time: TimeAmount? = nil) {
        let deadline = time.map { context.eventLoop.now + $0 } ?? timing.nextCheck(after: context.eventLoop.now)
        // Weak: a timer is not worth looking for when the connection has ended.
        context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            self?.check(isRepeated: time == nil)
        }
    }

    private func check(isRepeated: Bool) {
        guard let context else { return }
        if case .ended = state { return }
        let isDue = timing.isDue(
            at: context.eventLoop.now, queued: context.channel.queuedBytes, waitsForClient: waitsForClient(context))
        if isDue { return abort(context) }
        if isRepeated { scheduleCheck(context) }
    }
}
