import NIOCore

/// Requests of ``DirectRoutes``.
extension HTTPConnectionHandler {
    /// Handles a request whose body is complete.
    func respond(to request: DirectRequest, body: [UInt8], _ context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: eventLoop)
        request.run(body) { result in
            eventLoop.execute { bound.value.handler.finish(result, bound.value.context) }
        }
    }

    private func finish(_ result: Result<DirectResponse, any Error>, _ context: ChannelHandlerContext) {
        // The connection can have ended meanwhile.
        guard case .responding(let request) = state, let routes = configuration.directRoutes else { return }
        complete(
            with: request.bytes(of: result, routes, isLast: isStopping, context.channel.allocator), isLast: isStopping,
            context)
    }

    /// Writes a whole response to a request without the router.
    func complete(with response: ByteBuffer, isLast: Bool, _ context: ChannelHandlerContext) {
        timing.responseCompleted()
        state = .waiting
        guard !isLast else {
            context.write(wrapOutboundOut(response), promise: nil)
            return end(context)
        }
        withoutProceeding { context.writeAndFlush(wrapOutboundOut(response), promise: nil) }
        // Else the caller goes on.
        if !isProceeding { resume(context) }
    }
}
