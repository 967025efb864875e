import NIOCore
import NIOHTTP1

/// Takes offers of other protocols (`Upgrade: h2c`) out of a connection's first request. They may be ignored (RFC 9110
/// section 7.8), but NIO's upgrade handler drops a request of which it declines all protocols.
final class UpgradeHeaderFilter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
        let offered = head.headers[canonicalForm: "upgrade"].map { $0.lowercased() }
        if !offered.isEmpty, !offered.contains("websocket") { head.headers.remove(name: "upgrade") }
        context.fireChannelRead(wrapInboundOut(.head(head)))
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
