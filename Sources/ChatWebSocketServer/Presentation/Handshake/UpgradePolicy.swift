import CommonServer
import NIOCore

/// Decides what becomes of a handshake that is a good one.
protocol UpgradePolicy: Sendable {
    /// - Returns: `nil` for what is to be answered over HTTP.
    func answer(to head: RequestHead) -> HandshakeResponse?

    /// Finds out whether the client may come in. Calls `enter` once, on the socket's event loop, now or later; then
    /// that makes the handler that takes the connection over, in either case.
    func ask(_ answer: HandshakeResponse, from context: ChannelHandlerContext, enter: @escaping Entrance)
}

extension UpgradePolicy {
    /// - Parameter makeHandler: gets the answer to the handshake, which is the first that the handler has to send.
    typealias Entrance = (_ makeHandler: (_ opening: ByteBuffer) -> any ChannelHandler) -> Void
}
