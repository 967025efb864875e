import Hummingbird
import HummingbirdCore
import NIOCore

extension HTTP1Channel.Configuration {
    /// How the servers of this platform speak HTTP/1.1.
    public static func chat(headTimeout: TimeAmount = RequestBounds.headTimeout) -> Self {
        Self(
            additionalChannelHandlers: [RequestBounds(headTimeout: headTimeout)], idleTimeout: .seconds(75),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 * 1_024, maxHeaderListSize: 16 * 1_024, maxHeaderFieldCount: 100))
    }
}

extension HTTPServerBuilder {
    public static var chat: HTTPServerBuilder { .http1(configuration: .chat()) }
}
