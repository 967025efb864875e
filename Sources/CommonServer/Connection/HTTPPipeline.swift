import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// What stands behind the HTTP/1.1 decoder and encoder of a connection.
public enum HTTPPipeline {
    /// A connection without a request is closed after this time.
    private static let idleTimeout = Duration.seconds(75)
    private static let maximumHeaderBytes = 16 * 1_024

    public static var decoderLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maximumHeaderBytes
        limits.maxHeaderListSize = maximumHeaderBytes
        limits.maxHeaderFieldCount = 100
        return limits
    }

    /// To be called on the channel's event loop.
    public static func addHandlers(
        to channel: any Channel, logger: Logger
    ) throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        try addHandlers(to: channel, directRoutes: nil, headTimeout: RequestBounds.headTimeout, logger: logger)
    }

    static func addHandlers(
        to channel: any Channel, directRoutes: DirectRoutes?, headTimeout: TimeAmount, logger: Logger
    ) throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandlers(
            HTTP1ToHTTPServerCodec(secure: false), RequestBounds(headTimeout: headTimeout),
            HTTPConnectionStateHandler(idleTimeout: idleTimeout, logger: logger))
        if let directRoutes, !directRoutes.routes.isEmpty {
            try pipeline.addHandler(DirectRequestHandler(directRoutes))
        }
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }
}
