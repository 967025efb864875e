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
        let http: EventLoopFuture<ChatHTTPChannel.Value?>
    }

    private let http: ChatHTTPChannel
    private let door: any SocketDoor

    init(responder: @escaping HTTPChannelHandler.Responder, door: any SocketDoor) {
        http = ChatHTTPChannel(responder: responder)
        self.door = door
    }

    /// Begins the pipeline of a connection. What has to stand before, like TLS, is there already.
    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let promise = channel.eventLoop.makePromise(of: ChatHTTPChannel.Value?.self)
            try channel.pipeline.syncOperations.addHandler(
                HandshakeHandler(door: door, http: http, served: promise, logger: logger))
            return Value(channel: channel, http: promise.futureResult)
        }
    }

    func handle(value: Value, logger: Logger) async {
        guard let channel = try? await value.http.get() else { return }
        await http.handle(value: channel, logger: logger)
    }
}
