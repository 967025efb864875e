import AsyncHTTPClient
import CommonAuth
import CommonLogging
import CommonServer
import CommonUtil
import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle
import Testing

/// A whole server on a free port.
struct TestServer: Sendable {
    let port: Int
    let health: HealthRegistry
    let metrics: PrometheusRegistry
    let certificates: CertificateSource?

    /// Runs a server, and `body` against it.
    static func run(
        routes: Routes = Routes(), health: HealthRegistry = HealthRegistry(), settings: [String: String] = [:],
        beforeServing: [@Sendable () async throws -> Void] = [], services: [any Service] = [],
        headTimeout: TimeAmount? = nil,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let metrics = PrometheusRegistry()
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        let environment = try ServerEnvironment(
            name: "Test", defaultPort: 0,
            configuration: try await ConfigurationSource(arguments: ["test"], environment: settings), metrics: metrics,
            logger: logger)
        var dependencies = ServerDependencies(
            routes: routes, health: health, services: services, beforeServing: beforeServing)
        if let headTimeout { dependencies.headTimeout = headTimeout }
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let application = ChatApplication(dependencies: dependencies, environment: environment) {
            listening.yield($0.localAddress?.port ?? 0)
        }
        try await withThrowingTaskGroup { group in
            let services = ServiceGroup(services: [application], logger: logger)
            group.addTask {
                defer { listening.finish() }
                try await services.run()
            }
            guard let port = await ports.first(where: { _ in true }) else {
                // It ended before it listened.
                return try await group.waitForAll()
            }
            let server = TestServer(
                port: port, health: health, metrics: metrics, certificates: environment.certificates)
            do {
                if beforeServing.isEmpty {
                    while !health.isServing { await Task.yield() }
                }
                try await body(server)
            } catch {
                await services.triggerGracefulShutdown()
                throw error
            }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: String

        func json() throws -> JSONObject {
            guard case .object(let members) = try JSONParser.parse(Array(body.utf8)) else { return [:] }
            return members
        }

        /// The `code` of a problem; what is none fails the test.
        func problem(sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
            #expect(headers.first(name: "content-type") == "application/problem+json", sourceLocation: sourceLocation)
            let members = try json()
            #expect(members["status"] == .number("\(status)"), sourceLocation: sourceLocation)
            for name in ["type", "title", "detail", "traceId"] {
                guard case .string(let text)? = members[JSONKey(name)], !text.isEmpty else {
                    Issue.record("no \(name) in \(body)", sourceLocation: sourceLocation)
                    continue
                }
            }
            guard case .string(let code)? = members["code"] else { return "" }
            return code
        }
    }

    func request(
        _ method: HTTPMethod, _ path: String, headers: [(String, String)] = [], body: String? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        request.headers = HTTPHeaders(headers)
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let text = String(buffer: try await response.body.collect(upTo: 1 << 20))
        return Answer(status: Int(response.status.code), headers: response.headers, body: text)
    }

    /// Sends bytes as they are, each further text when something was answered, and returns what comes back until the
    /// server closes the connection. A reset is an end, too: it is what the kernel makes of a close while bytes of the
    /// client are on their way.
    /// - Parameter endsOutput: whether the client then says that it will send no more, and still listens.
    func raw(_ text: String, then further: String..., endsOutput: Bool = false) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var answer = ""
            var further = further[...]
            do {
                try await outbound.write(ByteBuffer(string: text))
                if endsOutput { outbound.finish() }
                for try await buffer in inbound {
                    answer += String(buffer: buffer)
                    if let text = further.popFirst() { try await outbound.write(ByteBuffer(string: text)) }
                }
            } catch let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE {
                // As above.
            } catch ChannelError.ioOnClosedChannel {
                // Closed before a text was written.
            }
            return answer
        }
    }
}

/// A JSON response with a text.
struct Echo: JSONEncodable {
    let text: String
    func write(to writer: inout JSONWriter) { writer.object { $0.member("text", text) } }
}

/// An error with a secret.
private struct LeakyError: Error, CustomStringConvertible {
    let description = "postgres://chat:hunter2@db.internal/chat"
}

extension Routes {
    /// Some routes of every kind.
    static func examples() -> Routes {
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
}
