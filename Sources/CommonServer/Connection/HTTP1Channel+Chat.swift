import Hummingbird
import HummingbirdCore
import NIOCore

extension HTTP1Channel.Configuration {
    /// How the servers of this platform speak HTTP/1.1.
    public static var chat: Self {
        Self(
            additionalChannelHandlers: [RequestBounds()], idleTimeout: .seconds(75),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 * 1_024, maxHeaderListSize: 16 * 1_024, maxHeaderFieldCount: 100))
    }
}
