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

    let responder: HTTPChannelHandler.Responder
    let makeUpgrader: @Sendable () -> any NIOTypedHTTPServerProtocolUpgrader<ConnectionKind>

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration<ConnectionKind>(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(
                    upgraders: [makeUpgrader()],
                    notUpgradingCompletionHandler: { channel in
                        channel.eventLoop.makeCompletedFuture {
                            .http(try HTTPPipeline.addHandlers(to: channel, logger: logger))
                        }
                    }))
            // Hummingbird's channel takes pipelined requests one after the other, answers parse errors, and its header
            // types validate themselves.
            configuration.enablePipelining = false
            configuration.enableErrorHandling = false
            configuration.enableResponseHeaderValidation = false
            configuration.decoderConfiguration = HTTPPipeline.decoderLimits
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
}
