import ChatLocalStack
import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(1))) struct ServerTests {
    private func routes() -> Routes { .examples() }
    private let json = [("Content-Type", "application/json")]

    // MARK: Routing

    @Test func `unknown paths are 404 and wrong methods are 405`() async throws {
        try await TestServer.run(routes: routes()) { server in
            #expect(try await server.request(.GET, "/things/a").json()["text"] == .string("a"))
            #expect(try await server.request(.DELETE, "/things/a").status == 204)

            let unknown = try await server.request(.GET, "/nothing?x=1")
            #expect(unknown.status == 404)
            #expect(try unknown.problem() == "not_found")

            let wrong = try await server.request(.PUT, "/things/a")
            #expect(wrong.status == 405)
            #expect(try wrong.problem() == "method_not_allowed")
            #expect(wrong.headers.first(name: "allow") == "DELETE, GET, HEAD, OPTIONS")
            #expect(try await server.request(.GET, "/things").headers.first(name: "allow") == "OPTIONS, POST")
            #expect(
                try await server.request(.DELETE, "/things/public").headers.first(name: "allow") == "GET, HEAD, OPTIONS"
            )
            #expect(try await server.request(.init(rawValue: "PROPFIND"), "/things").status == 405)
            let options = try await server.request(.OPTIONS, "/things")
            #expect(options.status == 204 && options.headers.first(name: "allow") == "OPTIONS, POST")
        }
    }

    @Test func `HEAD is GET without a body`() async throws {
        try await TestServer.run(routes: routes()) { server in
            let head = try await server.request(.HEAD, "/things/abc")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers.first(name: "content-length") == "14")
            let unknown = try await server.request(.HEAD, "/nothing")
            #expect(unknown.status == 404 && unknown.body.isEmpty)
        }
    }

    @Test func `path parameters are decoded`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            #expect(try await server.request(.GET, "/things/a%20%C3%A9%2Fb").json()["text"] == .string("a é/b"))
            let bad = try await server.raw("GET /things/%FF HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(bad.hasPrefix("HTTP/1.1 422 ") && bad.contains("validation_failed"))
            let malformed = try await server.raw("GET /things/%F HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(malformed.hasPrefix("HTTP/1.1 400 ") && malformed.contains("malformed_request"))
            #expect(try await server.request(.GET, "/things/a%00").problem() == "validation_failed")
            #expect(try await server.request(.GET, "/rooms/a%20b").problem() == "validation_failed")
            #expect(try await server.request(.GET, "/rooms/a%2Eb").json()["text"] == .string("a.b"))
        }
    }

    @Test func `the fallback handles unknown paths`() async throws {
        var routes = routes()
        routes.fallback { request, _ in
            guard request.uri.path == "/index.html" else { throw ChatError(.notFound) }
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "page")))
        }
        try await TestServer.run(routes: routes) { server async throws in
            #expect(try await server.request(.GET, "/index.html").body == "page")
            #expect(try await server.request(.POST, "/index.html").problem() == "not_found")
            #expect(try await server.request(.GET, "/other").problem() == "not_found")
            #expect(try await server.request(.PUT, "/things").status == 405)
        }
    }

    // MARK: Bodies

    @Test(arguments: ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"])
    func `JSON bodies are accepted`(contentType: String) async throws {
        try await TestServer.run(routes: routes()) { server in
            let answer = try await server.request(
                .POST, "/things", headers: [("Content-Type", contentType)], body: #"{"text":"é"}"#)
            #expect(answer.status == 201)
            #expect(try answer.json()["text"] == .string("é"))
            #expect(answer.headers.first(name: "content-type") == "application/json")
        }
    }

    @Test func `other bodies are refused`() async throws {
        try await TestServer.run(routes: routes()) { [json] server in
            for headers in [[], [("Content-Type", "text/plain")], [("Content-Type", "application/jsonp")]] {
                let answer = try await server.request(.POST, "/things", headers: headers, body: #"{"text":"x"}"#)
                #expect(answer.status == 415)
                #expect(try answer.problem() == "unsupported_media_type")
            }
            for body in ["", "{", "[]", "nonsense"] {
                let answer = try await server.request(.POST, "/things", headers: json, body: body)
                #expect(answer.status == 400)
                #expect(try answer.problem() == "malformed_json")
            }
            for body in ["{}", #"{"text":"\u0000"}"#, #"{"text":"\uD800"}"#, #"{"text":1}"#] {
                let answer = try await server.request(.POST, "/things", headers: json, body: body)
                #expect(answer.status == 422)
                #expect(try answer.problem() == "validation_failed")
                #expect(try answer.json()["errors"] != nil)
            }
        }
    }

    @Test func `large bodies are refused`() async throws {
        try await TestServer.run(routes: routes()) { [json] server in
            let fits = #"{"text":"x"}"# + String(repeating: " ", count: 65_536 - 12)
            #expect(try await server.request(.POST, "/things", headers: json, body: fits).status == 201)
            let large = try await server.request(.POST, "/things", headers: json, body: fits + " ")
            #expect(large.status == 413)
            #expect(try large.problem() == "body_too_large")
        }
    }

    /// The answer comes, and the connection ends, without the announced rest.
    @Test func `the rest of a large body is not waited for`() async throws {
        try await TestServer.run(routes: routes()) { server in
            let head = "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            let announced = try await server.raw(head + "Content-Length: 1000000000\r\n\r\n{")
            #expect(announced.hasPrefix("HTTP/1.1 413 ") && announced.contains("body_too_large"))
            #expect(announced.lowercased().contains("connection: close"))
            let chunk = "8000\r\n" + String(repeating: "x", count: 0x8000) + "\r\n"
            let streamed = try await server.raw(head + "Transfer-Encoding: chunked\r\n\r\n" + chunk + chunk + chunk)
            #expect(streamed.hasPrefix("HTTP/1.1 413 "))
        }
    }

    /// A body that nobody reads is not drained for ever.
    @Test func `a body that no route reads is bounded`() async throws {
        try await TestServer.run(routes: routes()) { server in
            let body = String(repeating: "x", count: 2 * 1_024 * 1_024)
            let answer = try? await server.raw(
                "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + body)
            // The connection ended; whether the answer got through before is the kernel's affair.
            #expect(answer == nil || answer?.hasPrefix("HTTP/1.1 404 ") == true || answer?.isEmpty == true)
        }
    }

    @Test func `heads are bounded`() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let huge = "GET /things/a HTTP/1.1\r\nHost: x\r\nX-Big: \(String(repeating: "x", count: 20_000))\r\n\r\n"
            let many = "GET /things/a HTTP/1.1\r\n" + String(repeating: "X-Y: z\r\n", count: 101) + "\r\n"
            for (request, status, code) in [
                (huge, 431, "header_too_large"), (many, 431, "header_too_large"),
                ("nonsense\r\n\r\n", 400, "malformed_request"),
            ] {
                let answer = try await server.raw(request)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
                #expect(answer.contains("application/problem+json") && answer.contains(#""code":"\#(code)""#))
                #expect(answer.lowercased().contains("connection: close"))
            }
            // However long the target is, it is not gathered without bound.
            let long = try? await server.raw(
                "GET /\(String(repeating: "x", count: 1_000_000)) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(long.map { $0.isEmpty || $0.hasPrefix("HTTP/1.1 4") } ?? true)
        }
    }

    /// Whoever does not finish a head is cut when its time is over: at first, between requests, or without a word.
    @Test func `a connection with a slow head is closed`() async throws {
        // Long enough for a whole head on a busy machine.
        try await TestServer.run(routes: routes(), headTimeout: .seconds(3)) { server in
            let slow = "GET /things/b HTTP/1.1\r\nHost: x\r\nX-Slow: "
            @Sendable func isCut(_ first: String) async throws {
                let start = ContinuousClock.now
                #expect(try await server.raw(first) == "")
                #expect((.milliseconds(2_990)...(.seconds(30))).contains(ContinuousClock.now - start))
            }
            let start = ContinuousClock.now
            async let silent: Void = isCut("")
            async let unfinished: Void = isCut(slow)
            let answer = try await server.raw("GET /things/a HTTP/1.1\r\nHost: x\r\n\r\n", then: slow)
            #expect(answer.ranges(of: "HTTP/1.1 200 OK").count == 1)
            #expect(ContinuousClock.now - start < .seconds(30))
            _ = try await (silent, unfinished)
        }
    }

    @Test func `a connection closes after the response to a request that says so`() async throws {
        try await TestServer.run(routes: routes()) { server in
            let request = "GET /things/a HTTP/1.1\r\nHost: x\r\n\r\n"
            let last = "GET /things/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            let answers = try await server.raw(request + last)
            #expect(answers.ranges(of: "HTTP/1.1 200 OK").count == 2)
        }
    }
}
