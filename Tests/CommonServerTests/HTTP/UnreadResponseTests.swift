import CommonServer
import CommonUtil
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

/// Clients that ask for much and read nothing, over real connections.
@Suite(.timeLimit(.minutes(2))) struct UnreadResponseTests {
    private static let request = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"

    private static func routes(_ bytes: Int) -> Routes {
        let large = ByteBuffer(repeating: UInt8(ascii: "x"), count: bytes)
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

    @Test func `a large response arrives complete, and the connection goes on`() async throws {
        let length = 1_000_000
        try await TestServer.run(routes: Self.routes(length)) { server in
            let bytes = try await server.exchange(Array((Self.request + HTTPCase.last).utf8))
            let headEnd = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound)
            let head = String(decoding: bytes[..<headEnd], as: UTF8.self)
            #expect(head.hasPrefix("HTTP/1.1 200 ") && head.lowercased().contains("content-length: \(length)"))
            let body = ByteBuffer(bytes: bytes[headEnd..<headEnd + length])
            #expect(body == ByteBuffer(repeating: UInt8(ascii: "x"), count: length))
            #expect(String(decoding: bytes[(headEnd + length)...].prefix(13), as: UTF8.self) == "HTTP/1.1 404 ")
        }
    }

    @Test func `unread responses do not keep others from theirs`() async throws {
        try await TestServer.run(routes: Self.routes(10 * 1_024 * 1_024)) { server in
            var held: [any Channel] = []
            // More than there is place for.
            for _ in 0..<10 { held.append(try await Self.connect(server.port, sending: Self.request + Self.request)) }
            let request = Self.request.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n")
            var status = ""
            repeat {
                let bytes = try await server.exchange(Array(request.utf8))
                status = String(decoding: bytes.prefix(13), as: UTF8.self)
                #expect(["HTTP/1.1 200 ", "HTTP/1.1 503 "].contains(status))
            } while status == "HTTP/1.1 503 "
            // For it one of them was ended.
            while held.allSatisfy(\.isActive) { await Task.yield() }
            for channel in held { channel.close(promise: nil) }
        }
    }

    /// It ends when this returns; before, it waited for the clients.
    @Test func `a server stops whatever its clients do not do`() async throws {
        var held: [any Channel] = []
        let (channels, connected) = AsyncStream.makeStream(of: (any Channel).self)
        try await TestServer.run(routes: Self.routes(10 * 1_024 * 1_024)) { server in
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
