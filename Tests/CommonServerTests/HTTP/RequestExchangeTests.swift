import ChatTestSupport
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Synchronization
import Testing

@testable import CommonServer

/// Requests whose body is read while the response is written, on a connection without a network.
@Suite(.timeLimit(.minutes(1))) struct ExchangeConnectionTests: ConnectionTest {
    let channel = EmbeddedChannel()
    let socket = ConnectionFixture.Socket()

    init() throws { try open() }

    private static func head(_ fields: String) -> String { "POST / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n" }
    private static let chunked = head("Transfer-Encoding: chunked")

    private func begin() throws {
        let promise = channel.embeddedEventLoop.makePromise(of: Void.self)
        channel.triggerUserOutboundEvent(ExchangeBegins(), promise: promise)
        channel.embeddedEventLoop.run()
        try promise.futureResult.wait()
    }

    private func beginResponse() {
        channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .ok)), promise: nil)
        channel.embeddedEventLoop.run()
    }

    private func endResponse() {
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
        channel.embeddedEventLoop.run()
    }

    private func bodyBytes() throws -> Int {
        try parts().reduce(0) { sum, part in if case .body(let bytes) = part { sum + bytes.readableBytes } else { sum }
        }
    }

    @Test func `all of a long body is read once the response has begun`() throws {
        let piece = String(repeating: "x", count: 64 * 1_024)
        send(Self.head("Content-Length: \(40 * piece.utf8.count)"))
        try begin()
        beginResponse()
        for _ in 1...40 { send(piece) }
        #expect(try bodyBytes() == 40 * piece.utf8.count)
        endResponse()
        #expect(try statuses() == [200])
        // The connection goes on.
        send(Self.get)
        respond()
        #expect(try statuses() == [200])
        #expect(channel.isActive)
    }

    @Test func `a body may take any time, but sixty seconds without a byte end the connection`() throws {
        send(Self.chunked)
        try begin()
        beginResponse()
        for _ in 1...5 {
            channel.read()
            advance(55)
            #expect(channel.isActive)
            send("1\r\nx\r\n")
        }
        channel.read()
        advance(59)
        #expect(channel.isActive)
        // Deadlines are looked at in steps.
        advance(11)
        #expect(!channel.isActive)
    }

    @Test func `time for which the route does not want more of the body does not count`() throws {
        send(Self.chunked)
        try begin()
        beginResponse()
        send("1\r\nx\r\n")
        advance(1_000)
        #expect(channel.isActive)
    }

    @Test func `a response that ends before the body ends the connection`() throws {
        send(Self.chunked)
        try begin()
        beginResponse()
        send("1\r\nx\r\n")
        endResponse()
        #expect(socket.isOutputClosed)
        send("1\r\nx\r\n")
        #expect(try bodyBytes() == 1)
        advance(3)
        #expect(!channel.isActive)
    }

    @Test func `a body cut off ends the connection, not the body`() throws {
        send(Self.chunked)
        try begin()
        beginResponse()
        send("5\r\nxy")
        sendNoMore()
        #expect(!channel.isActive)
        let hasEnd = try parts().contains { if case .end = $0 { true } else { false } }
        #expect(!hasEnd)
    }

    @Test func `a client that waits for 100 gets it, whatever the length`() throws {
        send(Self.head("Content-Length: 1000000000\r\nExpect: 100-continue"))
        #expect(try statuses() == [])
        try begin()
        #expect(try statuses() == [100])
        beginResponse()
        #expect(try statuses() == [200])
    }

    @Test func `without a request, or behind its response, there is no exchange`() throws {
        #expect(throws: (any Error).self) { try begin() }
        send(Self.get)
        respond()
        #expect(throws: (any Error).self) { try begin() }
    }
}

/// The same through a whole server.
@Suite(.timeLimit(.minutes(2))) struct RequestExchangeTests {
    private static func routes(_ run: @escaping @Sendable (inout RequestExchange) async throws -> Void) -> Routes {
        var routes = Routes()
        routes.post("/exchange") { request, context in
            try await Response(exchange: request, context, contentType: "text/plain", run)
        }
        return routes
    }

    private static let head = "POST /exchange HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

    @Test func `the response comes while the body is still being sent`() async throws {
        let routes = Self.routes { exchange in
            while let bytes = try await exchange.next() { try await exchange.write(bytes) }
            try await exchange.write(ByteBuffer(string: "end"))
        }
        try await TestServer.run(routes: routes) { server in
            try await RawHTTP.withConnection(port: server.port) { connection in
                try await connection.send(Self.head)
                #expect(try await connection.read(until: "\r\n\r\n").contains("200 OK"))
                for text in ["first", "again"] {
                    try await connection.send("5\r\n\(text)\r\n")
                    #expect(try await connection.read(until: text) == "5\r\n\(text)\r\n")
                }
                try await connection.send("0\r\n\r\n")
                #expect(try await connection.read(until: "0\r\n\r\n") == "3\r\nend\r\n0\r\n\r\n")
            }
        }
    }

    @Test func `a client that does not read the response is not read either`() async throws {
        let taken = Atomic(0)
        let routes = Self.routes { exchange in
            while let bytes = try await exchange.next() {
                taken.add(bytes.readableBytes, ordering: .relaxed)
                try await exchange.write(bytes)
            }
        }
        let piece = "10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n"
        try await TestServer.run(routes: routes) { server in
            try await RawHTTP.withConnection(port: server.port) { connection in
                try await connection.send(Self.head)
                // It blocks at some time: the kernel's buffers may hold tens of megabytes each way.
                let sent = await connection.sendUntilBlocked(piece) * 65_536
                let read = taken.load(ordering: .relaxed)
                #expect(sent > 0 && read < 256 * 1_024 * 1_024, "sent \(sent), read \(read)")
            }
        }
    }

    @Test func `the handler learns that a body was cut off`() async throws {
        let (ends, ended) = AsyncStream.makeStream(of: String.self)
        let routes = Self.routes { exchange in
            do {
                while try await exchange.next() != nil {}
                ended.yield("whole")
            } catch {
                ended.yield("cut off")
                throw error
            }
        }
        try await TestServer.run(routes: routes) { server in
            var end = ends.makeAsyncIterator()
            for (body, expected) in [("5\r\nwhole\r\n0\r\n\r\n", "whole"), ("5\r\ncut", "cut off")] {
                _ = try? await RawHTTP.withConnection(port: server.port) { connection in
                    try await connection.send(Self.head + body)
                    _ = try await connection.read(until: "\r\n\r\n")
                    connection.endOutput()
                    _ = try await connection.read(until: "never")
                }
                #expect(await end.next() == expected)
            }
        }
    }
}
