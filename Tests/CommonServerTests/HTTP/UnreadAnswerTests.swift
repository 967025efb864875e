import CommonServer
import CommonUtil
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

/// Clients that ask for much and read nothing, over real connections.
@Suite(.timeLimit(.minutes(2))) struct UnreadAnswerTests {
    private static let largeBytes = 10 * 1_024 * 1_024
    private static let large = ByteBuffer(bytes: (0..<largeBytes).map { UInt8(truncatingIfNeeded: $0 / 1_000) })
    private static let request = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"

    private static func routes() -> Routes {
        let large = large
        var routes = Routes()
        routes.get("/large") { _, _ in Response(status: .ok, body: ResponseBody(byteBuffer: large)) }
        routes.post("/things") { request, context in
            _ = try await request.fields(context)
            return Response(status: .ok)
        }
        return routes
    }

    /// A connection on which nothing is read.
    private static func connect(_ port: Int, sending text: String) async throws -> any Channel {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10)).channelOption(.autoRead, value: false)
            .channelOption(.socketOption(.so_rcvbuf), value: 4_096)
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: text))
        return channel
    }

    @Test func `a large answer arrives whole, and the connection goes on`() async throws {
        try await TestServer.run(routes: Self.routes()) { server in
            let bytes = try await server.exchange(Array((Self.request + HTTPCase.last).utf8))
            let answers = HTTPAnswers(bytes) { _ in false }
            #expect(answers.isWhole && answers.answers.map(\.status) == [200, 404])
            #expect(answers.answers[0].fields.contains("content-length: \(Self.largeBytes)"))
            let headEnd = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound)
            #expect(bytes[headEnd..<headEnd + Self.largeBytes].elementsEqual(Self.large.readableBytesView))
        }
    }

    @Test func `unread answers do not keep others from theirs`() async throws {
        try await TestServer.run(routes: Self.routes()) { server in
            var held: [any Channel] = []
            // More than there is place for.
            for _ in 0..<10 { held.append(try await Self.connect(server.port, sending: Self.request + Self.request)) }
            var statuses: Set<Int> = []
            repeat {
                let request = Self.request.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n")
                let answers = HTTPAnswers(try await server.exchange(Array(request.utf8))) { _ in false }
                statuses.insert(answers.answers[0].status)
                #expect(statuses.isSubset(of: [200, 503]))
            } while !statuses.contains(200)
            for channel in held { channel.close(promise: nil) }
        }
    }

    /// It ends when this returns; before, it waited for the clients.
    @Test func `a server stops whatever its clients do not do`() async throws {
        var held: [any Channel] = []
        let (channels, connected) = AsyncStream.makeStream(of: (any Channel).self)
        try await TestServer.run(routes: Self.routes()) { server in
            for text in [
                "", "GET / HT", Self.request, Self.request + Self.request,
                "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
                "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            ] {
                connected.yield(try await Self.connect(server.port, sending: text))
            }
            // All of them have been accepted by then.
            #expect(try await server.request(.GET, "/health/live").status == 200)
            connected.finish()
        }
        for await channel in channels { held.append(channel) }
        #expect(held.count == 6)
        for channel in held { channel.close(promise: nil) }
    }
}
