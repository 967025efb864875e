import CommonLogging
import CommonUtil
import HTTPTypes
import NIOCore

/// The end of an HTTP connection, and its deadlines.
extension HTTPConnectionHandler {
    // MARK: Ending

    /// Responds with an error to input that is not a valid request, and ends the connection.
    /// - Parameter head: the head of the request, where it could be read and the request is not routed.
    func refuse(_ error: ChatError, of head: RequestHead? = nil, _ context: ChannelHandlerContext) {
        guard routed?.hasResponseBegun != true else { return abort(context) }
        let trace = TraceContext(traceparent: head?["traceparent"] ?? routed?.clientIDs.trace)
        var response = BufferedResponse(error, traceID: trace.traceID)
        response.headers[.requestID] = RequestID.accepted(
            head?["x-request-id"] ?? routed?.clientIDs.request, in: trace)
        response.headers[.date] = configuration.date.text
        response.headers[.connection] = "close"
        // A page of another origin could not read the error of its upload otherwise.
        if let routed { configuration.envelope?.addCommonFields(to: &response.headers, origin: routed.origin) }
        state = .ending
        context.write(wrapOutboundOut(response.bytes(context.channel.allocator)), promise: nil)
        end(context, isInputComplete: false)
    }

    /// Ends the connection after the last response, see ``end(_:isInputComplete:)``.
    func end(_ context: ChannelHandlerContext) {
        let isInputComplete = routed?.isBodyComplete != false && bytes.readableBytes == 0
        end(context, isInputComplete: isInputComplete)
    }

    /// Ends the connection once everything written is sent.
    /// - Parameter isInputComplete: whether all requests were read to their end. If not, further input is read and dropped
    ///   for ``RequestBounds/closingReadTime``.
    func end(_ context: ChannelHandlerContext, isInputComplete: Bool) {
        state = .ending
        bytes = ByteBuffer()
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenComplete { _ in
            let (handler, context) = bound.value
            handler.ended(context, isInputComplete: isInputComplete)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
    }

    private func ended(_ context: ChannelHandlerContext, isInputComplete: Bool) {
        guard case .ending = state else { return }
        guard !isInputComplete, !isInputClosed else { return close(context) }
        timing.wait(for: .clientToClose, at: context.eventLoop.now)
        scheduleCheck(context, in: RequestBounds.closingReadTime)
        // Shows the client at once that this was the last response.
        if !context.pipeline.syncOperations.isEncrypted { context.close(mode: .output, promise: nil) }
        isReadHeld = false
        readOn(context)
    }

    /// Asks for the input that is dropped behind the last response. A route that has ended before its body asks for nothing
    /// more, and unread input would make the kernel reset the connection.
    func readOn(_ context: ChannelHandlerContext) {
        guard case .ending = state, timing.current == .clientToClose else { return }
        context.read()
    }

    /// Closes the channel, with the `close_notify` of TLS. In the next turn of the event loop, since a close within an
    /// event or a write of the TLS handler would lose it.
    func close(_ context: ChannelHandlerContext) {
        state = .ended
        context.eventLoop.assumeIsolated().execute { context.close(promise: nil) }
    }

    /// Ends the connection at once and drops what waits to be sent.
    func abort(_ context: ChannelHandlerContext) {
        state = .ended
        context.channel.abort()
    }

    /// Ends the connection because the server stops: after the response to the request in progress, if there is one.
    func stop(_ context: ChannelHandlerContext) {
        guard !isStopping else { return }
        isStopping = true
        scheduleCheck(context, in: RequestBounds.shutdownGracePeriod)
        timing.stop(at: context.eventLoop.now)
        if case .waiting = state { end(context, isInputComplete: true) }
    }

    // MARK: Time

    /// Sets the event that the connection waits for, by its state.
    func updateTiming(_ context: ChannelHandlerContext) {
        let wait: ConnectionTiming.Wait? =
            switch state {
            case .waiting where bytes.readableBytes > 0: context.channel.isWritable ? .head : nil
            case .waiting: .nextRequest
            case .reading: .body
            case .routed: isBodyAwaited ? .body : nil
            case .responding, .deciding, .streaming: nil
            case .ending, .ended: timing.current
            }
        timing.wait(for: wait, at: context.eventLoop.now)
    }

    /// Whether only the client can make progress.
    private func waitsForClient(_ context: ChannelHandlerContext) -> Bool {
        switch state {
        case .waiting, .reading, .ending: true
        case .routed: routed?.isBodyComplete == false || !context.channel.isWritable
        case .responding, .deciding, .streaming, .ended: false
        }
    }

    /// Schedules a check of the deadlines.
    /// - Parameter time: the time until a single check; `nil` for the next of the periodic ones.
    func scheduleCheck(_ context: ChannelHandlerContext, in time: TimeAmount? = nil) {
        let deadline = time.map { context.eventLoop.now + $0 } ?? timing.nextCheck(after: context.eventLoop.now)
        // Weak, since the timer is not cancelled when the connection ends: NIO would search all timers for it.
        context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            self?.check(isRepeated: time == nil)
        }
    }

    private func isDue(_ context: ChannelHandlerContext) -> Bool {
        // The owner of a stream bounds the time for which its client may take nothing.
        if case .streaming = state { return false }
        return timing.isDue(
            at: context.eventLoop.now, queued: context.channel.queuedBytes, waitsForClient: waitsForClient(context))
    }

    private func check(isRepeated: Bool) {
        guard let context else { return }
        if case .ended = state { return }
        if isDue(context) {
            guard case .routed = state, routed?.isUpload == true, timing.current == .body, !isStopping else {
                return abort(context)
            }
            refuse(ChatError(.requestTimeout, "No byte of the body came for a minute"), context)
        }
        // Also after the refusal: its response may wait behind others that the client does not read.
        if isRepeated { scheduleCheck(context) }
    }
}
