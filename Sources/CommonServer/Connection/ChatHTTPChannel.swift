import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A connection that speaks HTTP/1.1, as all servers of this platform do.
public struct ChatHTTPChannel: HTTPChannelHandler {
    public typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// Of a request's head: its bytes, and its fields.
    public static let maximumHeaderBytes = 16 * 1_024
    public static let maximumFields = 100

    public let responder: HTTPChannelHandler.Responder
    private let directRoutes: DirectRoutes?
    private let headTimeout: TimeAmount

    init(
        responder: @escaping HTTPChannelHandler.Responder, directRoutes: DirectRoutes?, headTimeout: TimeAmount
    ) {
        self.responder = responder
        self.directRoutes = directRoutes
        self.headTimeout = headTimeout
    }

    public func setup(
        channel: any Channel, logger: Logger
    ) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture { try setup(channel) }
    }

    /// To be called on the channel's event loop.
    func setup(_ channel: any Channel) throws -> Value {
        let pipeline = channel.pipeline.syncOperations
        let bounds = RequestBounds(headTimeout: headTimeout)
        if let directRoutes, !directRoutes.routes.isEmpty {
            try pipeline.addHandler(DirectRequestHandler(directRoutes, bounds: bounds))
        }
        // Hummingbird's loop takes pipelined requests one after the other, answers parse errors, and its header types
        // validate themselves.
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
            withEncoderConfiguration: .init(), withDecoderLimitConfiguration: Self.decoderLimits)
        try pipeline.addHandlers(HTTP1ToHTTPServerCodec(secure: false), bounds)
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    private static var decoderLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maximumHeaderBytes
        limits.maxHeaderListSize = maximumHeaderBytes
        limits.maxHeaderFieldCount = maximumFields
        return limits
    }

    public func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
