import ChatTestSupport
import HTTPTypes
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

    private static let post = ConnectionFixture.post
    private static let get = ConnectionFixture.get

    @Test(arguments: [
        post, post + post, String(post.prefix(40)), get, "nonsense\n\n", "",
    ])
    func `a direct request whose response fails is the last`(unread: String) throws {
        let transport = FailingTransport(unread: [ByteBuffer(string: unread)])
        try channel.pipeline.syncOperations.addHandlers([
            transport, ConnectionFixture.handler(ConnectionFixture.directRoutes()),
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
    func `a request of the router whose response fails is the last`(closes: Bool) throws {
        let get = ByteBuffer(string: Self.get)
        let transport = FailingTransport(unread: [get])
        try channel.pipeline.syncOperations.addHandlers([transport, ConnectionFixture.handler(nil)])
        channel.pipeline.fireChannelRead(get)
        _ = try channel.readInbound(as: HTTPRequestPart.self)
        _ = try channel.readInbound(as: HTTPRequestPart.self)
        var response = HTTPResponse(status: .ok)
        if closes { response.headerFields[.connection] = "close" }
        channel.write(HTTPResponsePart.head(response), promise: nil)
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        #expect(transport.hasFailed)
        #expect(!channel.isActive)
        #expect(try channel.readInbound(as: HTTPRequestPart.self) == nil)
        finish()
    }
}
