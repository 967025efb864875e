import NIOCore

/// The last handler of an established connection. It ends once, for whichever reason comes first.
protocol ConnectionHandler: ChannelInboundHandler where InboundIn == [RESPFrame], OutboundOut == ByteBuffer {
    /// The handler's context; `nil` when the connection has ended. Set when the handler is added.
    var context: ChannelHandlerContext? { get set }
    /// The reason why this side has closed the connection.
    var closeReason: String? { get set }

    /// The connection has ended; called once.
    func ended(reason: String)
}

extension ConnectionHandler {
    /// Closes the connection.
    func close(_ reason: String) {
        guard let context, closeReason == nil else { return }
        closeReason = reason
        context.close(promise: nil)
        // Not only when the channel is closed: TLS waits for the close_notify of a peer that may not respond.
        end()
    }

    func sendPing() {
        guard let context else { return }
        var bytes = context.channel.allocator.buffer(capacity: 16)
        bytes.writeRedisCommand("PING", [])
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(ConnectionFailure(connecting: error).reason)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    private func end() {
        guard context != nil else { return }
        context = nil
        ended(reason: closeReason ?? "closed by the server")
    }
}
