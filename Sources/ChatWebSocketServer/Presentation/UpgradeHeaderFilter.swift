import NIOCore
import NIOHTTP1

/// Takes offers of other protocols (`Upgrade: h2c`) out of a connection's first request. They may be ignored (RFC 9110
/// section 7.8), but NIO's upgrade handler drops a request of which it declines all protocols.
final class UpgradeHeaderFilter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let onRequest: () -> Void

    /// - Parameter onRequest: called when the first request has arrived whole.
    init(onRequest: @escaping () -> Void) { self.onRequest = onRequest }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(var head):
            let offered = head.headers[canonicalForm: "upgrade"].map { $0.lowercased() }
            if !offered.isEmpty, !offered.contains("websocket") { head.headers.remove(name: "upgrade") }
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .body:
            context.fireChannelRead(data)
        case .end:
            onRequest()
            context.fireChannelRead(data)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        }
    }
}
