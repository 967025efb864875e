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

private struct Echo: JSONEncodable {
    let text: String
    func write(to writer: inout JSONWriter) { writer.object { $0.member("text", text) } }
}

private struct LeakyError: Error, CustomStringConvertible {
    let description = "postgres://chat:hunter2@db.internal/chat"
}

@Suite(.timeLimit(.minutes(1))) struct ServerTests {
    private func routes() -> Routes {
        var routes = Routes(authenticator: Authenticator(mode: .trusted, verifier: nil))
        routes.get("/things/{id}") { _, context in Response(json: Echo(text: try context.pathParameter("id"))) }
        routes.delete("/things/{id}") { _, _ in .noContent }
        routes.get("/things/public") { _, _ in Response(json: Echo(text: "public")) }
        routes.post("/things") { request, context in
            var fields = try await request.fields(context)
            let text = fields.string("text", length: 1...100)
            try fields.finish()
            return Response(json: Echo(text: text ?? ""), status: .created)
        }
        routes.get("/me", authenticated: true) { _, context in
            Response(json: Echo(text: try context.requireUser().userID.description))
        }
        routes.get("/rooms/{id}") { _, context in Response(json: Echo(text: try context.roomID().rawValue)) }
        routes.get("/fails") { _, _ in throw LeakyError() }
        routes.get("/unavailable") { _, _ in throw ChatError.unavailable("later") }
        routes.get("/trace") { _, context in Response(json: Echo(text: context.trace.traceID)) }
        return routes
    }

    private let json = [("Content-Type", "application/json")]

    // MARK: Routing

    @Test func pathsAndMethods() async throws {
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

    @Test func headIsGetWithoutABody() async throws {
        try await TestServer.run(routes: routes()) { server in
            let head = try await server.request(.HEAD, "/things/abc")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(head.headers.first(name: "content-length") == "14")
            let unknown = try await server.request(.HEAD, "/nothing")
            #expect(unknown.status == 404 && unknown.body.isEmpty)
        }
    }

    @Test func pathParametersAreDecoded() async throws {
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

    @Test func theFallbackAnswersUnknownPaths() async throws {
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
    func jsonIsTaken(contentType: String) async throws {
        try await TestServer.run(routes: routes()) { server in
            let answer = try await server.request(
                .POST, "/things", headers: [("Content-Type", contentType)], body: #"{"text":"é"}"#)
            #expect(answer.status == 201)
            #expect(try answer.json()["text"] == .string("é"))
            #expect(answer.headers.first(name: "content-type") == "application/json")
        }
    }

    @Test func otherBodiesAreRefused() async throws {
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

    @Test func largeBodiesAreRefused() async throws {
        try await TestServer.run(routes: routes()) { [json] server in
            let fits = #"{"text":"x"}"# + String(repeating: " ", count: 65_536 - 12)
            #expect(try await server.request(.POST, "/things", headers: json, body: fits).status == 201)
            let large = try await server.request(.POST, "/things", headers: json, body: fits + " ")
            #expect(large.status == 413)
            #expect(try large.problem() == "body_too_large")
        }
    }

    /// The answer comes, and the connection ends, without the announced rest.
    @Test func theRestOfALargeBodyIsNotWaitedFor() async throws {
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
    @Test func unreadBodiesAreBounded() async throws {
        try await TestServer.run(routes: routes()) { server in
            let body = String(repeating: "x", count: 2 * 1_024 * 1_024)
            let answer = try? await server.raw(
                "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + body)
            // The connection ended; whether the answer got through before is the kernel's affair.
            #expect(answer == nil || answer?.hasPrefix("HTTP/1.1 404 ") == true || answer?.isEmpty == true)
        }
    }

    @Test func headersAreBounded() async throws {
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
    @Test func slowHeadsAreCut() async throws {
        try await TestServer.run(routes: routes(), headTimeout: .milliseconds(300)) { server in
            let slow = "GET /things/b HTTP/1.1\r\nHost: x\r\nX-Slow: "
            for first in ["", slow] {
                let start = ContinuousClock.now
                #expect(try await server.raw(first) == "")
                #expect((.milliseconds(290)...(.seconds(30))).contains(ContinuousClock.now - start))
            }
            let start = ContinuousClock.now
            let answer = try await server.raw("GET /things/a HTTP/1.1\r\nHost: x\r\n\r\n", then: slow)
            #expect(answer.ranges(of: "HTTP/1.1 200 OK").count == 1)
            #expect(ContinuousClock.now - start < .seconds(30))
        }
    }

    @Test func aClientThatWantsToCloseIsLetGo() async throws {
        try await TestServer.run(routes: routes()) { server in
            let request = "GET /things/a HTTP/1.1\r\nHost: x\r\n\r\n"
            let last = "GET /things/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            let answers = try await server.raw(request + last)
            #expect(answers.ranges(of: "HTTP/1.1 200 OK").count == 2)
        }
    }

    // MARK: Errors

    @Test func errorsShowNothingOfTheInside() async throws {
        try await TestServer.run(routes: routes()) { server in
            let fails = try await server.request(.GET, "/fails")
            #expect(fails.status == 500)
            #expect(try fails.problem() == "internal_error")
            #expect(
                !fails.body.contains("hunter2") && !fails.body.contains("Leaky") && !fails.body.contains("internal/"))
            let unavailable = try await server.request(.GET, "/unavailable")
            #expect(unavailable.status == 503)
            #expect(unavailable.headers.first(name: "retry-after") == "1")
        }
    }

    @Test func authenticatedRoutesWantAUser() async throws {
        try await TestServer.run(routes: routes()) { server in
            let missing = try await server.request(.GET, "/me")
            #expect(missing.status == 401)
            #expect(try missing.problem() == "missing_token")
            #expect(missing.headers.first(name: "www-authenticate") == "Bearer")
            #expect(try await server.request(.GET, "/me", headers: [("X-User-Id", "x")]).problem() == "invalid_token")
            #expect(try await server.request(.GET, "/me", headers: [("X-User-Id", "7")]).json()["text"] == .string("7"))
        }
    }

    // MARK: Tracing

    @Test func requestIDsAreEchoedOrMade() async throws {
        try await TestServer.run(routes: routes()) { server in
            func id(_ sent: String?) async throws -> String? {
                let headers = sent.map { [("X-Request-Id", $0)] } ?? []
                return try await server.request(.GET, "/nothing", headers: headers).headers.first(name: "x-request-id")
            }
            #expect(try await id("abc-1") == "abc-1")
            #expect(try await id(String(repeating: "x", count: 128)) == String(repeating: "x", count: 128))
            for odd in [nil, "a b", String(repeating: "x", count: 129)] {
                let made = try await id(odd)
                #expect(made != nil && made != odd && made?.utf8.count == 16)
            }
            #expect(try await id(nil) != id(nil))
        }
    }

    @Test func tracesAreGoneOnWith() async throws {
        try await TestServer.run(routes: routes()) { server async throws in
            let traceID = "0af7651916cd43dd8448eb211c80319c"
            let headers = [("traceparent", "00-\(traceID)-b7ad6b7169203331-01")]
            #expect(try await server.request(.GET, "/trace", headers: headers).json()["text"] == .string(traceID))
            #expect(try await server.request(.GET, "/nothing", headers: headers).json()["traceId"] == .string(traceID))
            let bad = [("traceparent", "00-\(traceID)-xyz-01")]
            #expect(try await server.request(.GET, "/trace", headers: bad).json()["text"] != .string(traceID))
        }
    }

    // MARK: CORS

    @Test func anyOriginMayCall() async throws {
        try await TestServer.run(routes: routes()) { server in
            let preflight = try await server.request(
                .OPTIONS, "/things",
                headers: [("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST")])
            #expect(preflight.status == 204)
            #expect(preflight.headers.first(name: "access-control-allow-origin") == "*")
            let methods = preflight.headers.first(name: "access-control-allow-methods") ?? ""
            #expect(["GET", "POST", "PUT", "PATCH", "DELETE"].allSatisfy { methods.contains($0) })
            let allowed = preflight.headers.first(name: "access-control-allow-headers") ?? ""
            #expect(
                ["Authorization", "Content-Type", "X-Request-Id", "X-User-Id", "traceparent"].allSatisfy {
                    allowed.contains($0)
                })
            let answer = try await server.request(.GET, "/nothing", headers: [("Origin", "https://a.example")])
            #expect(answer.status == 404)
            #expect(answer.headers.first(name: "access-control-allow-origin") == "*")
            #expect(answer.headers.first(name: "access-control-expose-headers") == "X-Request-Id, Retry-After")
            #expect(!(try await server.request(.GET, "/trace").headers.contains(name: "access-control-allow-origin")))
        }
    }

    @Test func onlyAllowedOriginsMayCall() async throws {
        let settings = ["CHAT_ALLOWED_ORIGINS": "https://a.example"]
        try await TestServer.run(routes: routes(), settings: settings) { server in
            func answer(_ origin: String, _ preflight: Bool) async throws -> TestServer.Answer {
                var headers = [("Origin", origin)]
                if preflight { headers.append(("Access-Control-Request-Method", "PUT")) }
                return try await server.request(preflight ? .OPTIONS : .GET, "/trace", headers: headers)
            }
            for preflight in [true, false] {
                let good = try await answer("https://a.example", preflight)
                #expect(good.headers.first(name: "access-control-allow-origin") == "https://a.example")
                #expect(good.headers.first(name: "vary") == "Origin")
                let bad = try await answer("https://b.example", preflight)
                #expect(!bad.headers.contains(name: "access-control-allow-origin"))
                #expect(!bad.headers.contains(name: "access-control-allow-methods"))
                #expect(bad.headers.first(name: "vary") == "Origin")
            }
        }
    }

    // MARK: Health and metrics

    @Test func readinessFollowsTheLifeOfTheServer() async throws {
        let health = HealthRegistry()
        let postgres = Mutex(HealthResult.failing("not connected"))
        health.register("postgres") { postgres.withLock { $0 } }
        let (prepared, finishPreparing) = AsyncStream.makeStream(of: Void.self)
        let preparation: @Sendable () async throws -> Void = { for await _ in prepared {} }
        try await TestServer.run(routes: routes(), health: health, beforeServing: [preparation]) { server in
            let live = try await server.request(.GET, "/health/live")
            #expect(live.status == 200 && live.body == #"{"status":"ok","version":"\#(ChatVersion.current)"}"#)
            let starting = try await server.request(.GET, "/health/ready")
            #expect(starting.status == 503)
            #expect(
                starting.body == #"{"status":"unavailable","checks":{"process":"starting","postgres":"not connected"}}"#
            )
            let early = try await server.request(.GET, "/things/a")
            #expect(early.status == 503)
            #expect(try early.problem() == "unavailable")

            postgres.withLock { $0 = .ok }
            finishPreparing.finish()
            while try await server.request(.GET, "/health/ready").status != 200 { await Task.yield() }
            #expect(try await server.request(.GET, "/things/a").status == 200)
            #expect(
                try await server.request(.GET, "/health/ready").body == #"{"status":"ok","checks":{"postgres":"ok"}}"#)

            server.health.startDraining()
            #expect(try await server.request(.GET, "/health/ready").status == 503)
            #expect(try await server.request(.GET, "/health/live").status == 200)
            #expect(try await server.request(.GET, "/things/a").status == 200)
        }
    }

    @Test func requestsAreMeasuredByTemplate() async throws {
        try await TestServer.run(routes: routes()) { server in
            for path in ["/things/a", "/things/b", "/nothing/1", "/nothing/2"] {
                _ = try await server.request(.GET, path)
            }
            _ = try await server.request(.init(rawValue: "PROPFIND"), "/nothing")
            let metrics = try await server.request(.GET, "/metrics")
            #expect(metrics.headers.first(name: "content-type")?.hasPrefix("text/plain; version=0.0.4") == true)
            let name = "http_server_request_duration_seconds"
            #expect(metrics.body.contains("# TYPE \(name) histogram\n"))
            #expect(metrics.body.contains("\(name)_count{method=\"GET\",route=\"/things/{id}\",status=\"200\"} 2\n"))
            #expect(metrics.body.contains("\(name)_count{method=\"GET\",route=\"none\",status=\"404\"} 2\n"))
            #expect(metrics.body.contains("\(name)_count{method=\"other\",route=\"none\",status=\"404\"} 1\n"))
            #expect(!metrics.body.contains("nothing"))
        }
    }

    @Test func metricsCanHaveAPortOfTheirOwn() async throws {
        let port = try FreePort.next()
        try await TestServer.run(routes: routes(), settings: ["CHAT_METRICS_PORT": "\(port)"]) { server async throws in
            let own = TestServer(port: port, health: server.health, metrics: server.metrics, certificates: nil)
            #expect(try await own.request(.GET, "/metrics").status == 200)
            #expect(try await own.request(.GET, "/things/a").status == 404)
            #expect(try await own.request(.GET, "/health/ready").status == 404)
            #expect(try await server.request(.GET, "/metrics").problem() == "not_found")
            #expect(try await server.request(.GET, "/health/ready").status == 200)
        }
    }

    @Test func aMetricsPortInUseIsNamed() async throws {
        try await TestServer.run { server async throws in
            let error = await #expect(throws: MetricsListener.Failed.self) {
                try await TestServer.run(settings: ["CHAT_METRICS_PORT": "\(server.port)"]) { _ in }
            }
            let exit = try ProcessExit(error: #require(error), host: "127.0.0.1", port: 1)
            #expect(exit == ProcessExit(code: 1, line: "port \(server.port) of 127.0.0.1 is in use"))
        }
    }

    // MARK: Stopping

    /// Something that requests need until the last of them is answered.
    private struct Dependency: Service {
        let events: Events

        func run() async throws {
            try? await gracefulShutdown()
            events.append("service stopped")
        }
    }

    private final class Events: Sendable {
        private let all = Mutex<[String]>([])
        func append(_ event: String) { all.withLock { $0.append(event) } }
        var list: [String] { all.withLock { $0 } }
    }

    @Test(arguments: [HTTPMethod.GET, .POST])
    func aRequestUnderWayIsAnsweredBeforeTheServicesStop(method: HTTPMethod) async throws {
        let events = Events()
        var routes = Routes(authenticator: Authenticator(mode: .trusted, verifier: nil))
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let (released, release) = AsyncStream.makeStream(of: Void.self)
        let echo = Echo(text: "done")
        routes.get("/slow") { _, _ in
            start.yield()
            for await _ in released {}
            events.append("answered")
            return Response(json: echo)
        }
        routes.postDirectly("/slow", admission: { $1(nil) }) { _, answer in
            start.yield()
            Task {
                for await _ in released {}
                events.append("answered")
                answer(.success(DirectResponse(jsonBytes: echo.jsonBytes, status: .ok)))
            }
        }
        let slow = Mutex<Task<TestServer.Answer, any Error>?>(nil)
        try await TestServer.run(routes: routes, services: [Dependency(events: events)]) { server in
            let headers = method == .POST ? json + [("X-User-Id", "7")] : []
            slow.withLock {
                $0 = Task {
                    try await server.request(method, "/slow", headers: headers, body: method == .POST ? "{}" : nil)
                }
            }
            _ = await started.first { _ in true }
            // The shutdown begins when this returns. Once nobody listens any more the request may go on.
            Task {
                let request = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                while (try? await server.raw(request)) != nil {}
                release.finish()
            }
        }
        let answer = try await slow.withLock { $0 }?.value
        #expect(answer?.body == #"{"text":"done"}"#)
        #expect(events.list == ["answered", "service stopped"])
    }
}
