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

/// One connection without a network, in whose place of a router the test answers.
@Suite(.timeLimit(.minutes(2))) struct HTTPConnectionHandlerTests {
    private let channel = EmbeddedChannel()
    private let socket = Socket()

    /// Notes what is asked of the socket.
    private final class Socket: ChannelOutboundHandler {
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

    private static let post =
        "POST /things HTTP/1.1\r\nHost: x\r\nX-User-Id: 7\r\nContent-Type: application/json\r\n"
        + "Content-Length: 2\r\n\r\n{}"
    private static let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    /// Of which `POST /things` is answered at once.
    private static func directRoutes() -> DirectRoutes {
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

    init() throws { try open(.all) }

    private func open(_ access: ConnectionAccess) throws {
        try channel.pipeline.syncOperations.addHandlers([
            socket,
            HTTPConnectionHandler(
                HTTPConnectionConfiguration(
                    directRoutes: Self.directRoutes(), headTimeout: .seconds(10), date: HTTPDate()), access: access),
        ])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    }

    // MARK: What the test does in the place of others

    private func send(_ text: String) {
        channel.pipeline.fireChannelRead(ByteBuffer(string: text))
        channel.pipeline.fireChannelReadComplete()
        channel.embeddedEventLoop.run()
    }

    private func sendNoMore() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.run()
    }

    private func answer(_ response: HTTPResponse = HTTPResponse(status: .ok, headerFields: [.contentLength: "2"])) {
        channel.write(HTTPResponsePart.head(response), promise: nil)
        channel.write(HTTPResponsePart.body(ByteBuffer(string: "ok")), promise: nil)
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        channel.embeddedEventLoop.run()
    }

    private func setWritable(_ isWritable: Bool) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
        channel.embeddedEventLoop.run()
    }

    /// The parts that were handed to the routes since the last time.
    private func parts() throws -> [HTTPRequestPart] {
        var parts: [HTTPRequestPart] = []
        while let part = try channel.readInbound(as: HTTPRequestPart.self) { parts.append(part) }
        return parts
    }

    /// What was written since the last time.
    private func written() throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    private func statuses() throws -> [Int] {
        try written().matches(of: #/HTTP/1\.1 (\d+) /#).compactMap { Int($0.1) }
    }

    private func advance(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    // MARK: Clients that do not read

    @Test func `nothing more is taken from a client that does not read its answers`() throws {
        send(Self.post)
        #expect(try statuses() == [201])
        setWritable(false)
        let before = socket.reads
        channel.pipeline.read()
        #expect(socket.reads == before)
        send(String(repeating: Self.post, count: 10) + Self.get)
        #expect(try statuses() == [] && parts() == [])
        setWritable(true)
        #expect(try statuses() == Array(repeating: 201, count: 10))
        #expect(try parts().count == 2)
        #expect(socket.reads > before)
    }

    @Test func `of many requests no more are answered than the watermark allows`() throws {
        channel.isWritable = false
        send(String(repeating: Self.post, count: 100))
        #expect(try statuses() == [])
    }

    @Test func `while a request is answered the next ones wait in the kernel`() throws {
        send(Self.get)
        let before = socket.reads
        channel.pipeline.read()
        #expect(socket.reads == before + 1)
        send(Self.post)
        channel.pipeline.read()
        #expect(socket.reads == before + 1)
        answer()
        #expect(try statuses() == [200, 201])
        #expect(socket.reads == before + 2)
    }

    // MARK: Time

    @Test(arguments: ["", "GET / HTTP/1.1\r\nHost: x\r\n", "\r\n\r\n"])
    func `a connection has ten seconds for its first head`(beginning: String) throws {
        if !beginning.isEmpty { send(beginning) }
        advance(9)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
        #expect(try written().isEmpty)
    }

    @Test(arguments: [true, false]) func `75 seconds after an answer it is closed`(direct: Bool) throws {
        send(direct ? Self.post : Self.get)
        if !direct { answer() }
        advance(74)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    @Test(arguments: [String(post.dropLast()), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123"])
    func `a body has sixty seconds`(request: String) throws {
        send(request)
        advance(59)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    @Test func `an answer that takes long is waited for`() throws {
        send(Self.get)
        advance(1_000)
        answer()
        #expect(channel.isActive)
        #expect(try statuses() == [200])
    }

    // MARK: The end of what a client sends

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHo", String(post.dropLast()), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
    ])
    func `half a request is refused at once where no more will come`(request: String) throws {
        send(request)
        sendNoMore()
        #expect(try statuses() == [400])
        #expect(!channel.isActive)
    }

    @Test func `who has no more to ask gets all answers, then the end`() throws {
        send(Self.post + Self.get + Self.post)
        sendNoMore()
        #expect(try statuses() == [201] && channel.isActive)
        answer()
        #expect(try statuses() == [200, 201])
        #expect(!channel.isActive)
    }

    @Test func `who has no more to ask and does not read yet gets all answers, too`() throws {
        setWritable(false)
        send(Self.post + Self.post)
        sendNoMore()
        #expect(channel.isActive)
        setWritable(true)
        #expect(try statuses() == [201, 201])
        #expect(!channel.isActive)
    }

    @Test func `a client that sent nothing and will send nothing is closed`() throws {
        sendNoMore()
        #expect(!channel.isActive)
        #expect(try written().isEmpty)
    }

    // MARK: Bodies and answers

    @Test func `a client that waits for 100 Continue gets it`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(try written() == "HTTP/1.1 100 Continue\r\n\r\n")
        send("ok")
        answer()
        #expect(try statuses() == [200])
    }

    @Test func `who announces too large a body is not asked for it`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999\r\n\r\n")
        #expect(try written().isEmpty)
    }

    @Test func `an answer of unknown length is chunked, or ends with the connection`() throws {
        send(Self.get)
        answer(HTTPResponse(status: .ok))
        #expect(try written().lowercased().hasSuffix("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"))
        send("GET / HTTP/1.0\r\n\r\n")
        answer(HTTPResponse(status: .ok))
        #expect(try written().lowercased().hasSuffix("connection: close\r\n\r\nok"))
        #expect(!channel.isActive)
    }

    @Test func `the answer to HEAD and one of 204 have no body`() throws {
        send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer()
        #expect(try written().hasSuffix("\r\n\r\n"))
        send(Self.get)
        answer(HTTPResponse(status: .noContent))
        #expect(try written() == "HTTP/1.1 204 No Content\r\n\r\n")
    }

    @Test func `a body that breaks is refused, and what the route says then is dropped`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nnonsense\r\n")
        #expect(try statuses() == [400])
        answer()
        #expect(try written().isEmpty)
        #expect(try parts().count == 2)
    }

    @Test func `a body that breaks in the middle of its answer ends the connection`() throws {
        send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .ok)), promise: nil)
        send("nonsense\r\n")
        #expect(try statuses() == [200])
        #expect(!channel.isActive)
    }

    @Test func `what is still sent behind the last answer is read for a moment`() throws {
        send("nonsense\r\n\r\n")
        #expect(try statuses() == [400])
        #expect(socket.isOutputClosed)
        send("more")
        #expect(channel.isActive)
        advance(2)
        #expect(!channel.isActive)
    }

    // MARK: Stopping

    private func stop() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.run()
    }

    @Test func `a connection on which nothing is under way ends at once when the server stops`() throws {
        send(Self.post)
        stop()
        #expect(!channel.isActive)
    }

    @Test func `a request under way is answered, and told that it is the last`() throws {
        send(Self.get)
        stop()
        advance(60)
        #expect(channel.isActive)
        answer()
        let text = try written()
        #expect(text.lowercased().contains("connection: close") && text.ranges(of: "HTTP/1.1").count == 1)
        #expect(!channel.isActive)
    }

    @Test(arguments: [
        String(post.dropLast()), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123",
    ])
    func `a body that does not come is waited for five seconds`(request: String) throws {
        send(request)
        stop()
        advance(4)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    @Test func `an answer that is not read is waited for five seconds`() throws {
        send(Self.get)
        setWritable(false)
        stop()
        advance(4)
        #expect(channel.isActive)
        advance(1)
        #expect(!channel.isActive)
    }

    // MARK: Nearly out of descriptors

    @Test func `a connection beyond the reserve gets health checks and nothing else, one of them`() throws {
        for (path, status) in [("/health/live", nil), ("/metrics", nil), ("/things", 503), ("/", 503)]
            as [(String, Int?)]
        {
            let test = try HTTPConnectionHandlerTests(access: .operations)
            test.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n" + Self.get)
            if status == nil { test.answer() }
            #expect(try test.statuses() == [status ?? 200])
            #expect(try test.parts().count == (status == nil ? 2 : 0))
            test.advance(2)
            #expect(!test.channel.isActive)
        }
    }

    private init(access: ConnectionAccess) throws { try open(access) }
}
