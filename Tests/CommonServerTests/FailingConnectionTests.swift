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
import Testing

@testable import CommonServer

/// Connections that fail while they are being written: NIO then reads what is left of them and closes them, before the
/// write returns.
@Suite(.timeLimit(.minutes(2))) struct FailingConnectionTests {
    private let channel = EmbeddedChannel()

    init() throws {
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    /// Timers of the connection run out; an embedded event loop insists on it.
    private func finish() { channel.embeddedEventLoop.advanceTime(by: .seconds(200)) }

    /// Routes of which `POST /things` is answered at once.
    private func directRoutes() -> DirectRoutes {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return DirectRoutes(
            routes: [
                .init(path: "/things", admission: { _, proceed in proceed(nil) }) { _, answer in
                    answer(.success(DirectResponse(jsonBytes: Array("{}".utf8), status: .created)))
                }
            ], authenticator: Authenticator(mode: .trusted, verifier: nil),
            envelope: ResponseEnvelope(
                metrics: RequestMetrics(factory: PrometheusRegistry(), routes: []), cors: CORSPolicy(origins: .any),
                isEncrypted: false, logger: logger),
            date: HTTPDate(), isServing: { true })
    }

    private func handler(_ routes: DirectRoutes?) -> HTTPConnectionHandler {
        HTTPConnectionHandler(
            HTTPConnectionConfiguration(directRoutes: routes, headTimeout: .seconds(10), date: HTTPDate()), access: .all
        )
    }

    private static let post =
        "POST /things HTTP/1.1\r\nHost: x\r\nX-User-Id: 7\r\nContent-Type: application/json\r\n"
        + "Content-Length: 2\r\n\r\n{}"

    @Test(arguments: [
        post, post + post, String(post.prefix(40)), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "nonsense\n\n", "",
    ])
    func `a direct request whose answer fails is the last`(unread: String) throws {
        let transport = FailingTransport(unread: [ByteBuffer(string: unread)])
        try channel.pipeline.syncOperations.addHandlers([
            transport, handler(directRoutes()),
        ])
        channel.pipeline.fireChannelRead(ByteBuffer(string: Self.post + Self.post))
        channel.embeddedEventLoop.run()
        #expect(transport.hasFailed)
        #expect(!channel.isActive)
        finish()
        // One answer was written, which the failing flush kept.
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
    }

    @Test(arguments: [false, true])
    func `a request of the pipeline whose answer fails is the last`(closes: Bool) throws {
        let get = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        let transport = FailingTransport(unread: [get])
        try channel.pipeline.syncOperations.addHandlers([transport, handler(nil)])
        channel.pipeline.fireChannelRead(get)
        _ = try channel.readInbound(as: HTTPRequestPart.self)
        _ = try channel.readInbound(as: HTTPRequestPart.self)
        var answer = HTTPResponse(status: .ok)
        if closes { answer.headerFields[.connection] = "close" }
        channel.write(HTTPResponsePart.head(answer), promise: nil)
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        #expect(transport.hasFailed)
        #expect(!channel.isActive)
        #expect(try channel.readInbound(as: HTTPRequestPart.self) == nil)
        finish()
    }
}
