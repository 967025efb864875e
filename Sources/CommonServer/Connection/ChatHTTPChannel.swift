import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes

/// A connection that speaks HTTP/1.1, as all servers of this platform do.
public struct ChatHTTPChannel: HTTPChannelHandler {
    public typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// Of a request's head: its bytes, and its fields.
    public static let maximumHeaderBytes = 16 * 1_024
    public static let maximumFields = 100

    public let responder: HTTPChannelHandler.Responder
    private let configuration: HTTPConnectionConfiguration

    init(
        responder: @escaping HTTPChannelHandler.Responder, directRoutes: DirectRoutes?, headTimeout: TimeAmount,
        date: HTTPDate = HTTPDate()
    ) {
        self.responder = responder
        configuration = HTTPConnectionConfiguration(directRoutes: directRoutes, headTimeout: headTimeout, date: date)
    }

    public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture { try setup(channel, access: .all) }
    }

    /// To be called on the channel's event loop.
    func setup(_ channel: any Channel, access: ConnectionAccess) throws -> Value {
        // A client that has no more to ask still wants its answers.
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        try channel.pipeline.syncOperations.addHandler(HTTPConnectionHandler(configuration, access: access))
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    public func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}

/// What all HTTP connections of a server have in common.
struct HTTPConnectionConfiguration: Sendable {
    /// `nil` where all requests go through the router.
    let directRoutes: DirectRoutes?
    let headTimeout: TimeAmount
    let date: HTTPDate
}
