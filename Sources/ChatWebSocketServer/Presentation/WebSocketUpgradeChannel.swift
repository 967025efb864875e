import CommonServer
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A connection of this server: HTTP/1.1, of which the first request may turn it into a WebSocket.
///
/// Hummingbird serves the HTTP side. After an upgrade no task and no async sequence belongs to the connection any more,
/// only its channel with one handler.
struct WebSocketUpgradeChannel: HTTPChannelHandler {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let kind: EventLoopFuture<ConnectionKind>
    }

    /// A connection that has not made its first request by then is cut.
    private static let handshakeTimeout = TimeAmount.seconds(10)
    private static let idleTimeout = Duration.seconds(75)
    private static let maximumHeaderBytes = 16 * 1_024

    let responder: HTTPChannelHandler.Responder
    let makeUpgrader: @Sendable () -> any NIOTypedHTTPServerProtocolUpgrader<ConnectionKind>

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration<ConnectionKind>(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [makeUpgrader()],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture { try Self.configureHTTP(channel, logger: logger) }
                    }))
            // Hummingbird's channel takes pipelined requests one after the other, answers parse errors, and its header
            // types validate themselves.
            configuration.enablePipelining = false
            configuration.enableErrorHandling = false
            configuration.enableResponseHeaderValidation = false
            configuration.decoderConfiguration.maxHeaderFieldSize = Self.maximumHeaderBytes
            configuration.decoderConfiguration.maxHeaderListSize = Self.maximumHeaderBytes
            let kind = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: configuration)
            let upgradeHandler = try channel.pipeline.syncOperations.handler(
                type: NIOTypedHTTPServerUpgradeHandler<ConnectionKind>.self)
            let timeout = channel.eventLoop.scheduleTask(in: Self.handshakeTimeout) { channel.close(promise: nil) }
            // The answer has bounds of its own: who is refused because the database is away must be told so.
            try channel.pipeline.syncOperations.addHandler(
                UpgradeHeaderFilter(onRequest: { timeout.cancel() }), position: .before(upgradeHandler))
            kind.whenComplete { _ in timeout.cancel() }
            return Value(channel: channel, kind: kind)
        }
    }

    func handle(value: Value, logger: Logger) async {
        guard case .http(let channel)? = try? await value.kind.get() else { return }
        await handleHTTP(asyncChannel: channel, logger: logger)
    }

    private static func configureHTTP(_ channel: any Channel, logger: Logger) throws -> ConnectionKind {
        try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try channel.pipeline.syncOperations.addHandler(RequestBounds())
        try channel.pipeline.syncOperations.addHandler(
            HTTPConnectionStateHandler(idleTimeout: idleTimeout, logger: logger))
        return .http(
            try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
    }
}
