import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Calls and connections over SwiftNIO: one TCP connection each.
struct NIOTransport: ChatTransport {
    typealias RawChannel = NIOAsyncChannel<ByteBuffer, ByteBuffer>
    typealias HTTPChannel = NIOAsyncChannel<HTTPClientResponsePart, HTTPPart<HTTPRequestHead, ByteBuffer>>

    private let group: any EventLoopGroup
    private let tls: TLSConfiguration

    init(group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, tls: TLSConfiguration? = nil) {
        self.group = group
        var tls = tls ?? TLSConfiguration.makeClientConfiguration()
        tls.applicationProtocols = ["http/1.1"]
        self.tls = tls
    }

    func call(_ call: HTTPCall) async throws -> HTTPAnswer {
        do {
            return try await withDeadline(milliseconds: call.timeoutMilliseconds) {
                let channel = try await openHTTP(call.server)
                return try await channel.executeThenClose { inbound, outbound in
                    var head = requestHead(call.method.rawValue, call.server, call.path, call.headers)
                    if let body = call.body {
                        head.headers.replaceOrAdd(name: "content-length", value: String(body.count))
                        head.headers.replaceOrAdd(name: "content-type", value: "application/json")
                    }
                    try await outbound.write(.head(head))
                    if let body = call.body { try await outbound.write(.body(ByteBuffer(bytes: body))) }
                    try await outbound.write(.end(nil))
                    var iterator = inbound.makeAsyncIterator()
                    var answer = try await Self.head(&iterator)
                    while let part = try await iterator.next() {
                        switch part {
                        case .head: throw Self.cut
                        case .body(let bytes):
                            guard answer.body.count + bytes.readableBytes <= call.maximumAnswerBytes else {
                                throw ChatError(.protocol, "The answer is too long", status: answer.status)
                            }
                            answer.body += bytes.readableBytesView
                        case .end: return answer
                        }
                    }
                    throw Self.cut
                }
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            if Task.isCancelled { throw CancellationError() }
            throw ChatError.network(error)
        }
    }

    func connect(
        _ request: ConnectionRequest, output: AsyncStream<ConnectionOutput>,
        receive: @escaping @Sendable ([ConnectionInput]) async -> Void
    ) async -> ConnectionEnd {
        let progress = ConnectionProgress()
        do {
            switch request.kind {
            case .webSocket:
                let channel = try await openRaw(request.server)
                return try await runWebSocket(request, channel, output, progress, receive)
            case .eventStream:
                let channel = try await openHTTP(request.server)
                return try await runEventStream(request, channel, output, progress, receive)
            }
        } catch {
            let error = ChatError.network(error)
            return progress.isOpen ? .closed(code: 1006, reason: error.message) : .failed(error)
        }
    }

    // MARK: Channels

    private func openRaw(_ server: ServerAddress) async throws -> RawChannel {
        try await open(server) { channel in
            try RawChannel(wrappingChannelSynchronously: channel)
        }
    }

    private func openHTTP(_ server: ServerAddress) async throws -> HTTPChannel {
        try await open(server) { channel in
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(RequestBodyHandler())
            return try HTTPChannel(wrappingChannelSynchronously: channel)
        }
    }

    private func open<Inbound: Sendable, Outbound: Sendable>(
        _ server: ServerAddress, _ wrap: @escaping @Sendable (any Channel) throws -> NIOAsyncChannel<Inbound, Outbound>
    ) async throws -> NIOAsyncChannel<Inbound, Outbound> {
        let context = server.isSecure ? try NIOSSLContext(configuration: tls) : nil
        let isAddress = (try? SocketAddress(ipAddress: server.host, port: 0)) != nil
        return try await abandonable { [group] in
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
        } late: { channel in
            try? await channel.executeThenClose { _, _ in }
        }
    }

    // MARK: HTTP

    func requestHead(
        _ method: String, _ server: ServerAddress, _ path: String, _ headers: [(name: String, value: String)]
    ) -> HTTPRequestHead {
        var fields = HTTPHeaders([("Host", server.authority), ("Connection", "close")])
        for (name, value) in headers { fields.add(name: name, value: value) }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method), uri: server.path + path, headers: fields)
    }

    /// The head of the final answer; those of 1xx are passed over by the codec.
    static func head(
        _ iterator: inout NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator
    ) async throws -> HTTPAnswer {
        guard case .head(let head)? = try await iterator.next() else { throw cut }
        var answer = HTTPAnswer(status: Int(head.status.code))
        for (name, value) in head.headers { answer.headers[name.lowercased()] = value }
        return answer
    }

    static let cut = ChatError(.network, "The connection ended within the answer", isTemporary: true)
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
