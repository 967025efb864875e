import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes

/// Sets up HTTP/1.1 connections and serves their requests.
public struct ChatHTTPChannel: HTTPChannelHandler {
    public typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    /// Responds to the requests that are not direct (``DirectRoutes``).
    public let responder: HTTPChannelHandler.Responder
    private let configuration: HTTPConnectionConfiguration

    init(
        responder: @escaping HTTPChannelHandler.Responder, directRoutes: DirectRoutes?,
        streamRoutes: StreamRoutes? = nil, uploadPaths: [String] = [], envelope: ResponseEnvelope? = nil,
        headTimeout: TimeAmount, date: HTTPDate = HTTPDate()
    ) {
        self.responder = responder
        configuration = HTTPConnectionConfiguration(
            directRoutes: directRoutes, streamRoutes: streamRoutes, uploadPaths: uploadPaths, envelope: envelope,
            headTimeout: headTimeout, date: date)
    }

    /// Adds the HTTP handlers to a connection. Can be called on any thread.
    public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture { try setup(channel, access: .all) }
    }

    /// Adds the HTTP handlers to a connection. Must be called on the channel's event loop.
    func setup(_ channel: any Channel, access: ConnectionAccess) throws -> Value {
        // A client that ends its output still waits for the responses.
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        try channel.pipeline.syncOperations.addHandler(HTTPConnectionHandler(configuration, access: access))
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    /// Serves the requests of a connection until it ends.
    public func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}

/// The settings that all HTTP connections of a server share.
struct HTTPConnectionConfiguration: Sendable {
    /// `nil` if every request goes through the router.
    let directRoutes: DirectRoutes?
    /// `nil` if no route is a stream.
    let streamRoutes: StreamRoutes?
    /// The paths whose `POST` is an upload.
    var uploadPaths: [String] = []
    /// Adds the common fields to a response by which the connection itself ends a request of the router.
    var envelope: ResponseEnvelope?
    let headTimeout: TimeAmount
    let date: HTTPDate
}

/// The HTTP connections of a server. Each is served by a task, which begins with the connection's HTTP handlers: a
/// WebSocket handshake needs none.
public struct HTTPConnections: Sendable {
    private let http: ChatHTTPChannel
    private let logger: Logger
    private let begun: AsyncStream<ChatHTTPChannel.Value>
    private let beginning: AsyncStream<ChatHTTPChannel.Value>.Continuation

    init(http: ChatHTTPChannel, logger: Logger) {
        self.http = http
        self.logger = logger
        // Bounded by the number of connections.
        (begun, beginning) = AsyncStream.makeStream()
    }

    /// Makes a connection an HTTP connection. Must be called on its event loop.
    public func begin(_ channel: any Channel) throws { try begin(channel, access: .all) }

    func begin(_ channel: any Channel, access: ConnectionAccess) throws {
        let connection = try http.setup(channel, access: access)
        if case .enqueued = beginning.yield(connection) { return }
        // The server is stopping. NIO requires that an async channel, once made, is also finished.
        channel.close(promise: nil)
        Task { await serve(connection) }
    }

    /// Serves connections until ``end()`` was called and the last of them has ended.
    func serve() async {
        await withDiscardingTaskGroup { group in
            for await connection in begun {
                group.addTask { await serve(connection) }
            }
        }
    }

    /// Stops taking connections.
    func end() { beginning.finish() }

    private func serve(_ connection: ChatHTTPChannel.Value) async {
        await http.handle(value: connection, logger: logger)
    }
}
