import ChatTestSupport
import CommonLogging
import CommonServer
import CommonUtil
import NIOCore
import NIOHTTP1
import Testing

/// Streams over real connections.
@Suite(.timeLimit(.minutes(1))) struct StreamTests {
    private static let request = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"

    /// A stream of so many lines, one in each turn of the event loop.
    private final class Lines: ResponseStream {
        private let connection: StreamConnection
        private var left: Int
        private var isClosed = false

        init(_ connection: StreamConnection, count: Int) {
            self.connection = connection
            left = count
        }

        func begin(_ head: ByteBuffer) {
            connection.write(head)
            sendNext()
        }

        private func sendNext() {
            guard !isClosed, connection.channel.isWritable else { return }
            guard left > 0 else { return connection.end() }
            left -= 1
            connection.write(ByteBuffer(string: "\(left)\n"))
            connection.flush()
            connection.eventLoop.assumeIsolated().execute { self.sendNext() }
        }

        func writabilityChanged() { sendNext() }

        func connectionClosed() { isClosed = true }
    }

    private static func routes(count: Int) -> Routes {
        var routes = Routes.examples()
        routes.streaming("/stream", contentType: "text/event-stream") { _, decide in
            decide(.begin { Lines($0, count: count) })
        }
        routes.streaming("/refused", contentType: "text/event-stream") { call, decide in
            decide(.refuse(.invalid("query", call.head.query ?? "")))
        }
        return routes
    }

    @Test(arguments: ["", "more", "GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n"])
    func `a stream arrives complete, whatever follows its request`(unread: String) async throws {
        try await TestServer.run(routes: Self.routes(count: 20_000)) { server in
            let bytes = try await server.exchange(Array((Self.request + unread).utf8))
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 200 "))
            let body = text.split(separator: "\r\n\r\n", maxSplits: 1).last ?? ""
            #expect(body.split(separator: "\n").count == 20_000 && body.hasSuffix("\n1\n0\n"))
        }
    }

    @Test func `a refusal is as any other, and measured as any other`() async throws {
        try await TestServer.run(routes: Self.routes(count: 1)) { server in
            let answer = try await server.request(
                .GET, "/refused?a=b", headers: [("Origin", "https://a.example"), ("X-Request-Id", "mine")])
            #expect(answer.status == 422 && answer.body.contains("query: a=b"))
            #expect(try answer.problem() == "validation_failed")
            #expect(answer.headers.first(name: "access-control-allow-origin") == "*")
            #expect(answer.headers.first(name: "x-request-id") == "mine")
            let stream = try await server.request(.GET, "/stream")
            #expect(stream.body == "0\n")
            for (route, status) in [("/refused", 422), ("/stream", 200)] {
                let line =
                    #"http_server_request_duration_seconds_count{method="GET",route="\#(route)",status="\#(status)"} 1"#
                #expect(server.metrics.text().contains(line))
            }
        }
    }

    @Test func `what is no request for a stream gets the router's response`() async throws {
        try await TestServer.run(routes: Self.routes(count: 1)) { server in
            let post = try await server.request(.POST, "/stream")
            #expect(try post.problem() == "method_not_allowed")
            #expect(post.headers.first(name: "allow") == "GET, HEAD, OPTIONS")
            #expect(try await server.request(.GET, "/stream/").problem() == "not_found")
            #expect(try await server.request(.GET, "/stream", body: "{}").problem() == "malformed_request")
            let preflight = try await server.request(
                .OPTIONS, "/stream",
                headers: [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")])
            #expect(preflight.status == 204)
            #expect(preflight.headers.first(name: "access-control-allow-headers")?.contains("Last-Event-ID") == true)
            let head = try await server.request(.HEAD, "/stream")
            #expect(head.status == 200 && head.headers.first(name: "content-type") == "text/event-stream")
        }
    }
}
