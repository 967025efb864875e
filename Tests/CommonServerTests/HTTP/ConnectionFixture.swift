import ChatTestSupport
import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTPTypes

@testable import CommonServer

/// The parts of tests of connections without a network.
enum ConnectionFixture {
    static let post =
        "POST /things HTTP/1.1\r\nHost: x\r\nX-User-Id: 7\r\nContent-Type: application/json\r\n"
        + "Content-Length: 2\r\n\r\n{}"
    static let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    /// Routes of which `POST /things` responds at once.
    static func directRoutes() -> DirectRoutes {
        DirectRoutes(
            routes: [
                .init(path: "/things", admission: { _, proceed in proceed(nil) }) { _, respond in
                    respond(.success(DirectResponse(jsonBytes: Array("{}".utf8), status: .created)))
                }
            ], authenticator: Authenticator(mode: .trusted, verifier: nil),
            envelope: envelope(), date: HTTPDate(), isServing: { true })
    }

    static func envelope() -> ResponseEnvelope {
        ResponseEnvelope(
            metrics: RequestMetrics(factory: PrometheusRegistry(), routes: []), cors: CORSPolicy(origins: .any),
            isEncrypted: false, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    static func handler(
        _ routes: DirectRoutes?, streams: StreamRoutes? = nil, access: ConnectionAccess = .all
    ) -> HTTPConnectionHandler {
        HTTPConnectionHandler(
            HTTPConnectionConfiguration(
                directRoutes: routes, streamRoutes: streams, uploadPaths: ["/upload"], envelope: envelope(),
                headTimeout: .seconds(10), date: HTTPDate()),
            access: access)
    }

    /// Records the calls to the socket.
    final class Socket: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        private(set) var reads = 0
        private(set) var isOutputClosed = false

        func read(context: ChannelHandlerContext) {
            reads += 1
            context.read()
        }

        /// An embedded channel would close as a whole.
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            guard mode == .output else { return context.close(mode: mode, promise: promise) }
            isOutputClosed = true
            promise?.succeed()
        }
    }
}

/// A test of one connection without a network. It takes the place of the client and of the router.
protocol ConnectionTest {
    var channel: EmbeddedChannel { get }
    var socket: ConnectionFixture.Socket { get }
}

extension ConnectionTest {
    static var post: String { ConnectionFixture.post }
    static var get: String { ConnectionFixture.get }

    func open(_ access: ConnectionAccess = .all) throws {
        try channel.pipeline.syncOperations.addHandlers([
            socket, ConnectionFixture.handler(ConnectionFixture.directRoutes(), access: access),
        ])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    // MARK: The client

    func send(_ text: String) {
        channel.pipeline.fireChannelRead(ByteBuffer(string: text))
        channel.pipeline.fireChannelReadComplete()
        channel.embeddedEventLoop.run()
    }

    func sendNoMore() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.run()
    }

    func setWritable(_ isWritable: Bool) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
        channel.embeddedEventLoop.run()
    }

    /// The output since the last call.
    func written() throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    func statuses() throws -> [Int] {
        try written().matches(of: #/HTTP/1\.1 (\d+) /#).compactMap { Int($0.1) }
    }

    // MARK: The router

    func respond(_ response: HTTPResponse = HTTPResponse(status: .ok, headerFields: [.contentLength: "2"])) {
        channel.write(HTTPResponsePart.head(response), promise: nil)
        channel.write(HTTPResponsePart.body(ByteBuffer(string: "ok")), promise: nil)
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        channel.embeddedEventLoop.run()
    }

    /// The parts that the router got since the last call.
    func parts() throws -> [HTTPRequestPart] {
        var parts: [HTTPRequestPart] = []
        while let part = try channel.readInbound(as: HTTPRequestPart.self) { parts.append(part) }
        return parts
    }

    // MARK: Time and shutdown

    func advance(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    func stop() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.run()
    }
}
