import NIOCore

/// Stands where the socket would be, at the head of an embedded channel, and fails as NIO's does: a `flush` that cannot
/// write reads what is left of the connection and closes it, all before it returns.
///
///     let transport = FailingTransport(failsAtFlush: 2, unread: [ByteBuffer(string: "more")])
///     try channel.pipeline.syncOperations.addHandler(transport, position: .first)
public final class FailingTransport<Unread: Sendable>: ChannelOutboundHandler {
    public typealias OutboundIn = Any
    public typealias OutboundOut = Any

    private let unread: [Unread]
    private var flushesLeft: Int
    /// Whether the failure has come.
    public private(set) var hasFailed = false

    /// - Parameters:
    ///   - failsAtFlush: the number of the flush that fails, from 1 on.
    ///   - unread: what the failing flush reads, one `channelRead` for each.
    public init(failsAtFlush: Int = 1, unread: [Unread]) {
        flushesLeft = failsAtFlush
        self.unread = unread
    }

    public func flush(context: ChannelHandlerContext) {
        flushesLeft -= 1
        guard flushesLeft == 0 else { return context.flush() }
        hasFailed = true
        for part in unread { context.fireChannelRead(NIOAny(part)) }
        context.fireChannelReadComplete()
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension FailingTransport: Sendable {}
