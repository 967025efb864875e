import NIOCore

/// A response without an end of its own. Confined to the event loop of its connection.
///
/// Every `flush` of the connection can call back before it returns, as in ``HTTPConnectionHandler``: so a method changes the
/// state first and writes last.
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
    private let handler: HTTPConnectionHandler
    private let context: ChannelHandlerContext

    init(_ handler: HTTPConnectionHandler, _ context: ChannelHandlerContext) {
        self.handler = handler
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
    public func end() { handler.endStream(context) }

    /// Ends the connection at once and drops what was not sent.
    public func abort() { handler.abort(context) }
}
