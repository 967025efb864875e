import CommonServer
import HummingbirdCore
import Logging
import NIOCore

/// A connection of this server: its first request may turn it into a WebSocket; else it is one of HTTP/1.1, as those of
/// the other servers are.
///
/// Hummingbird serves the HTTP side. A WebSocket has no task and no async sequence, only its channel with one handler.
struct WebSocketUpgradeChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        /// `nil` where the connection never was one of HTTP.
        let http: EventLoopFuture<HTTP1Channel.Value?>
    }

    private let http: HTTP1Channel
    private let services: WebSocketServices

    init(responder: @escaping HTTPChannelHandler.Responder, services: WebSocketServices) {
        http = HTTP1Channel(responder: responder, configuration: .chat)
        self.services = services
    }

    /// Begins the pipeline of a connection. What has to stand before, like TLS, is there already.
    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let promise = channel.eventLoop.makePromise(of: HTTP1Channel.Value?.self)
            try channel.pipeline.syncOperations.addHandler(
                HandshakeHandler(services: services, http: http, served: promise, logger: logger))
            return Value(channel: channel, http: promise.futureResult)
        }
    }

    func handle(value: Value, logger: Logger) async {
        guard let channel = try? await value.http.get() else { return }
        await http.handle(value: channel, logger: logger)
    }
}
