import CommonUtil
import NIOCore

/// Requests of ``StreamRoutes``.
extension HTTPConnectionHandler: StreamHost {
    /// Lets the route decide on a request. The decision can come before this returns.
    func decide(_ request: StreamRequest, _ context: ChannelHandlerContext) {
        guard let routes = configuration.streamRoutes else { return }
        state = .deciding(request)
        bytes.moveReaderIndex(forwardBy: request.head.length)
        if bytes.readableBytes == 0 { bytes = ByteBuffer() }
        routes.decide(request, on: context.channel) { [self] in finish(request, $0, routes, context) }
    }

    private func finish(
        _ request: StreamRequest, _ decision: StreamDecision, _ routes: StreamRoutes, _ context: ChannelHandlerContext
    ) {
        // The connection can have ended meanwhile.
        guard case .deciding(let current) = state, current === request else { return }
        let isLast = isStopping || request.head.closes
        switch decision {
        case .refuse(let error):
            complete(with: request.refusal(error, routes, isLast: isLast), isLast: isLast, context)
        case .begin where request.isHead:
            complete(with: request.opening(routes, isLast: isLast), isLast: isLast, context)
        case .begin where isInputClosed:
            close(context)
        case .begin(let makeStream):
            begin(makeStream(StreamConnection(self, context)), head: request.opening(routes, isLast: true))
        }
    }

    private func begin(_ stream: any ResponseStream, head: ByteBuffer) {
        self.stream = stream
        state = .streaming
        // No request can follow; what is here already is dropped.
        hasDroppedInput = bytes.readableBytes > 0
        bytes = ByteBuffer()
        stream.begin(head)
    }

    /// Ends the connection after the last bytes of a stream.
    func endStream(_ context: ChannelHandlerContext) {
        guard case .streaming = state else { return }
        // Input may be left in the kernel, which would make it reset the connection.
        end(context, isInputComplete: false)
    }
}
