import NIOCore

/// A response without an end of its own. Confined to the event loop of its connection.
///
/// Every `flush` of the connection can call back before it returns: NIO reads a connection whose write failed, and closes it.
/// So a method changes the state first and writes last.
public protocol ResponseStream: AnyObject {
    /// Begins the response. Called once, before anything else.
    /// - Parameter head: the head of the response, which has to be written first.
    func begin(_ head: ByteBuffer)

    /// Called when the channel's writability has changed.
    func writabilityChanged()

    /// Called once when the connection is closed, whoever ended it. Nothing can be written any more.
    func connectionClosed()
}

/// The connection of a stream. Confined to its event loop.
public struct StreamConnection {
    private let host: any StreamHost
    private let context: ChannelHandlerContext

    init(_ host: any StreamHost, _ context: ChannelHandlerContext) {
        self.host = host
        self.context = context
    }

    /// The channel, for its options. It must be written through this connection.
    public var channel: any Channel { context.channel }

    /// The event loop to which stream and connection are confined.
    public var eventLoop: any EventLoop { context.eventLoop }

    /// Writes bytes, which are sent with the next flush.
    public func write(_ bytes: ByteBuffer) { context.write(NIOAny(bytes), promise: nil) }

    /// Sends what was written. It can call back before it returns.
    public func flush() { context.flush() }

    /// Ends the response and, with it, the connection, once everything written is sent. It can call back before it returns.
    public func end() { host.endStream(context) }

    /// Ends the connection at once and drops what was not sent.
    public func abort() { host.abort(context) }
}

/// The handler of a stream's connection.
protocol StreamHost: AnyObject {
    /// Ends the connection once everything written is sent.
    func endStream(_ context: ChannelHandlerContext)

    /// Ends the connection at once.
    func abort(_ context: ChannelHandlerContext)
}
