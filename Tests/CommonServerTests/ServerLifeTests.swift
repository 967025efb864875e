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

/// What every response carries, and a server from its start to its end.
@Suite(.timeLimit(.minutes(1))) struct ServerLifeTests {
    private func routes() -> Routes { .examples() }
    private let json = [("Content-Type", "application/json")]

    // MARK: Errors

    @Test func `errors show no internals`() async throws {
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

    @Test func `authenticated routes need a user`() async throws {
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

    @Test func `request ids are echoed or made`() async throws {
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

    @Test func `the caller's trace is continued`() async throws {
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

    @Test func `by default any origin may call`() async throws {
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
            #expect(
                answer.headers.first(name: "access-control-expose-headers")
                    == "X-Request-Id, Retry-After, Content-Range, Accept-Ranges, ETag")
            #expect(!(try await server.request(.GET, "/trace").headers.contains(name: "access-control-allow-origin")))
        }
    }

    @Test func `only allowed origins may call`() async throws {
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

    @Test func `readiness follows the phases of the server`() async throws {
        let health = HealthRegistry()
        let postgres = Mutex(HealthResult.failing("not connected"))
        health.register("postgres", deadline: .seconds(60)) { postgres.withLock { $0 } }
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

    @Test func `requests are measured by template`() async throws {
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

    @Test func `metrics can have a port of their own`() async throws {
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

    @Test func `a metrics port in use is named`() async throws {
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
    func `a request in progress gets its response before the services stop`(method: HTTPMethod) async throws {
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
        routes.postDirectly("/slow", admission: { $1(nil) }) { _, respond in
            start.yield()
            Task {
                for await _ in released {}
                events.append("answered")
                respond(.success(DirectResponse(jsonBytes: echo.jsonBytes, status: .ok)))
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
