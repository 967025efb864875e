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
        var parts = ServerDependencies(routes: routes, health: health, services: services, beforeServing: beforeServing)
        if let headTimeout { parts.headTimeout = headTimeout }
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let application = ChatApplication(parts: parts, environment: environment) {
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
            try await outbound.write(ByteBuffer(string: text))
            if endsOutput { outbound.finish() }
            var answer = ""
            var further = further[...]
            do {
                for try await buffer in inbound {
                    answer += String(buffer: buffer)
                    if let text = further.popFirst() { try await outbound.write(ByteBuffer(string: text)) }
                }
            } catch let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE {
                // As above.
            } catch ChannelError.ioOnClosedChannel {
                // Closed before the further text was written.
            }
            return answer
        }
    }
}
