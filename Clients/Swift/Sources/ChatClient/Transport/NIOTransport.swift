import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// Calls and connections over SwiftNIO. Calls reuse idle connections if there are any.
struct NIOTransport: ChatTransport {
    typealias HTTPChannel = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    private let group: any EventLoopGroup
    private let tls: TLSConfiguration
    /// Created once, since it reads the certificate authorities of the system.
    private let tlsContext = NIOLockedValueBox<NIOSSLContext?>(nil)
    let idle = IdleConnections()

    init(group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, tls: TLSConfiguration? = nil) {
        self.group = group
        var tls = tls ?? TLSConfiguration.makeClientConfiguration()
        tls.applicationProtocols = ["http/1.1"]
        self.tls = tls
    }

    func keepConnections() { idle.open() }
    func closeConnections() { idle.close() }

    func call(_ call: HTTPCall) async throws -> ClientResponse {
        do {
            return try await withDeadline(milliseconds: call.timeoutMilliseconds) {
                var isRepeated = false
                if call.isRepeatable, let channel = idle.take(call.server) {
                    do {
                        return try await exchange(call, over: channel)
                    } catch is HTTPExchange.NoResponse {
                        // The server has closed the connection while it waited for this call.
                        try Task.checkCancellation()
                        isRepeated = true
                    }
                }
                var response = try await exchange(call, over: try await openForCalls(call.server))
                response.isRepeated = isRepeated
                return response
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw error is HTTPExchange.NoResponse ? ChatError.cut : ChatError.network(error)
        }
    }

    private func exchange(_ call: HTTPCall, over channel: any Channel) async throws -> ClientResponse {
        var head = requestHead(call.method.rawValue, call.server, call.path, call.headers)
        if let body = call.body {
            head.headers.replaceOrAdd(name: "content-length", value: String(body.count))
            head.headers.replaceOrAdd(name: "content-type", value: "application/json")
        }
        let promise = channel.eventLoop.makePromise(of: HTTPExchange.Outcome.self)
        let exchange = HTTPExchange(
            head: head, body: call.body, maximumBytes: call.maximumResponseBytes, promise: promise)
        return try await withTaskCancellationHandler {
            channel.eventLoop.execute {
                // The handler of a closed connection may be removed, so nothing would end the exchange.
                if channel.isActive {
                    channel.writeAndFlush(exchange, promise: nil)
                } else {
                    promise.fail(HTTPExchange.NoResponse())
                }
            }
            let outcome = try await promise.futureResult.get()
            if outcome.isKept { idle.give(channel, of: call.server) } else { channel.close(promise: nil) }
            return outcome.response
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    func connect(
        _ request: ConnectionRequest, output: AsyncStream<ConnectionOutput>,
        receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async -> ConnectionEnd {
        let progress = ConnectionProgress()
        do {
            return switch request.kind {
            case .webSocket: try await runWebSocket(request, output, progress, receive)
            case .eventStream: try await runEventStream(request, output, progress, receive)
            }
        } catch {
            let error = ChatError.network(error)
            return progress.isOpen ? .closed(code: 1006, reason: error.message) : .failed(error)
        }
    }

    // MARK: Channels

    func openWebSocket(_ request: ConnectionRequest) async throws -> WebSocketOpening {
        let head = requestHead("GET", request.server, request.path, request.headers)
        let (channel, opening) = try await open(request.server) { channel in
            let upgrader = NIOTypedWebSocketClientUpgrader<WebSocketOpening>(
                maxFrameSize: WebSocketMessages.maximumSize, enableAutomaticErrorHandling: false
            ) { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WebSocketHandler())
                    return .accepted(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
                }
            }
            let upgrade = NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: head, upgraders: [upgrader]) {
                channel in
                channel.eventLoop.makeCompletedFuture {
                    .refused(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
                }
            }
            var configuration = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: upgrade)
            // The first frames may come in one piece with the response.
            configuration.leftOverBytesStrategy = .forwardBytes
            let opening = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                configuration: configuration)
            return (channel, opening)
        } drop: { channel, opening in
            channel.close(promise: nil)
            try? await opening.get().close()
        }
        return try await withTaskCancellationHandler {
            do {
                return try await opening.get()
            } catch {
                // An invalid response to a handshake leaves the connection open.
                channel.close(promise: nil)
                throw error
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    func openHTTP(_ server: ServerAddress) async throws -> HTTPChannel {
        try await open(server) { channel in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(RequestBodyHandler())
            return try HTTPChannel(wrappingChannelSynchronously: channel)
        } drop: { channel in
            try? await channel.executeThenClose { _, _ in }
        }
    }

    private func openForCalls(_ server: ServerAddress) async throws -> any Channel {
        try await open(server) { channel in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(HTTPExchangeHandler())
            return channel
        } drop: { channel in
            channel.close(promise: nil)
        }
    }

    /// - Parameters:
    ///   - wrap: completes the pipeline, on the connection's event loop.
    ///   - drop: closes a connection that opened after the caller was cancelled.
    private func open<Connection: Sendable>(
        _ server: ServerAddress, wrap: @escaping @Sendable (any Channel) throws -> Connection,
        drop: @escaping @Sendable (Connection) async -> Void
    ) async throws -> Connection {
        let context = server.isSecure ? try contextOfTLS() : nil
        let isAddress = (try? SocketAddress(ipAddress: server.host, port: 0)) != nil
        return try await withCancellation { [group] in
            let bootstrap = ClientBootstrap(group: group)
                .connectTimeout(.seconds(10))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            return try await bootstrap.connect(host: server.host, port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        let handler = try NIOSSLClientHandler(
                            context: context, serverHostname: isAddress ? nil : server.host)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    return try wrap(channel)
                }
            }
        } late: { connection in
            await drop(connection)
        }
    }

    private func contextOfTLS() throws -> NIOSSLContext {
        try tlsContext.withLockedValue { known in
            if let known { return known }
            let new = try NIOSSLContext(configuration: tls)
            known = new
            return new
        }
    }

    // MARK: HTTP

    func requestHead(
        _ method: String, _ server: ServerAddress, _ path: String, _ headers: [(name: String, value: String)]
    ) -> HTTPRequestHead {
        var fields = HTTPHeaders([("Host", server.authority)])
        for (name, value) in headers { fields.add(name: name, value: value) }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method), uri: server.path + path, headers: fields)
    }

    /// The head of the final response; those of 1xx are skipped by the codec.
    static func head(
        _ iterator: inout NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator
    ) async throws -> ClientResponse {
        guard case .head(let head)? = try await iterator.next() else { throw ChatError.cut }
        return ClientResponse(head)
    }
}

/// The response to a handshake.
enum WebSocketOpening: Sendable {
    case accepted(NIOAsyncChannel<WebSocketHandler.Event, WebSocketFrame>)
    case refused(NIOAsyncChannel<HTTPClientResponsePart, Never>)

    /// Gives up the connection unused.
    func close() async throws {
        switch self {
        case .accepted(let channel): try await channel.executeThenClose { _, _ in }
        case .refused(let channel): try await channel.executeThenClose { _ in }
        }
    }
}

/// Whether a connection was open when it failed. Used within one task.
final class ConnectionProgress {
    var isOpen = false
}

/// Lets the parts of a request be sendable: their bodies are buffers, never files.
private final class RequestBodyHandler: ChannelOutboundHandler {
    typealias OutboundIn = HTTPPart<HTTPRequestHead, ByteBuffer>
    typealias OutboundOut = HTTPClientRequestPart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part: HTTPClientRequestPart =
            switch unwrapOutboundIn(data) {
            case .head(let head): .head(head)
            case .body(let buffer): .body(.byteBuffer(buffer))
            case .end(let trailers): .end(trailers)
            }
        context.write(wrapOutboundOut(part), promise: promise)
    }
}
