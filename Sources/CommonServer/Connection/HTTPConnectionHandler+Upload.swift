import NIOCore

/// Uploads: requests whose route reads the body at its own pace.
extension HTTPConnectionHandler {
    /// Sends `100 Continue` when the route of an upload begins to read.
    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is UploadAccepted else { return context.triggerUserOutboundEvent(event, promise: promise) }
        promise?.succeed()
        guard case .routed = state, routed?.acceptBody() == true else { return }
        writeContinue(context)
        updateTiming(context)
    }

    func writeContinue(_ context: ChannelHandlerContext) {
        context.writeAndFlush(
            wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
    }

    /// Drops input behind the last response.
    func drop(_ count: Int, _ context: ChannelHandlerContext) {
        bytesDropped += count
        if bytesDropped > RequestBounds.maximumDroppedBytes { close(context) }
    }

    /// Tells the route of a connection that has ended that the rest of the body will not come. Without it the end of a
    /// connection looks like the end of the body.
    func failBody(_ context: ChannelHandlerContext) {
        guard routed?.isBodyComplete == false, routed?.isResponseComplete == false else { return }
        context.fireErrorCaught(Self.incompleteRequest)
    }

    /// Whether the client is to send more of a body. An upload has its time for each piece of it, and only while the route
    /// waits for it.
    var isBodyAwaited: Bool {
        guard let routed, !routed.isBodyComplete else { return false }
        return !routed.isUpload || isInputAwaited && !routed.awaitsContinue
    }
}
