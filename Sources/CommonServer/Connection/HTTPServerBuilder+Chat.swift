import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

extension HTTPServerBuilder {
    /// How the servers of this platform speak HTTP/1.1.
    static func chat(_ directRoutes: DirectRoutes?, headTimeout: TimeAmount) -> HTTPServerBuilder {
        HTTPServerBuilder { ChatHTTPChannel(responder: $0, directRoutes: directRoutes, headTimeout: headTimeout) }
    }
}

/// A connection that speaks HTTP/1.1 from its first byte.
private struct ChatHTTPChannel: HTTPChannelHandler {
    let responder: HTTPChannelHandler.Responder
    let directRoutes: DirectRoutes?
    let headTimeout: TimeAmount

    func setup(
        channel: any Channel, logger: Logger
    ) -> EventLoopFuture<NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>> {
        channel.eventLoop.makeCompletedFuture {
            // Hummingbird's loop takes pipelined requests one after the other, answers parse errors, and its header
            // types validate themselves.
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: HTTPPipeline.decoderLimits)
            return try HTTPPipeline.addHandlers(
                to: channel, directRoutes: directRoutes, headTimeout: headTimeout, logger: logger)
        }
    }

    func handle(value: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
