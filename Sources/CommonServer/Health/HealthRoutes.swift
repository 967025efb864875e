import CommonAuth
import CommonLogging
import CommonUtil
import HTTPTypes
import Hummingbird
import NIOCore
import PostgresClient
import RedisClient

extension Routes {
    /// Adds `/health/live` and `/health/ready`, which respond while the server is still starting.
    mutating func addHealth(_ health: HealthRegistry) {
        onExactly("/health/live") { _, _ in Response(json: Alive()) }
        onExactly("/health/ready") { _, _ in
            let report = await health.report()
            var response = Response(json: report, status: report.httpStatus)
            if report.status == .unavailable { response.headers[.retryAfter] = "1" }
            return response
        }
    }

    /// Adds `/metrics`, which responds while the server is still starting.
    mutating func addMetrics(_ metrics: PrometheusRegistry) {
        onExactly("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: PrometheusRegistry.contentType],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text())))
        }
    }

    private mutating func onExactly(_ path: String, _ handler: @escaping Handler) {
        on(.get, path, waitsForStart: false, isExact: true, isRead: false, handler)
    }
}

/// The liveness body: `{"status": "ok", "version": …}`.
private struct Alive: JSONEncodable {
    func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("status", "ok")
            $0.member("version", ChatVersion.current)
        }
    }
}

/// The readiness checks of several servers, with the names of the contract.
extension HealthRegistry {
    /// Adds the check `postgres`: the server is unavailable without PostgreSQL, and with one that accepts no writes.
    public func register(_ postgres: PostgresClient) {
        register("postgres") {
            do throws(PostgresError) {
                try await postgres.checkWritable(timeout: .milliseconds(400))
                return .ok
            } catch {
                return .failing(Self.reason(error))
            }
        }
    }

    /// The reason in the readiness body.
    static func reason(_ error: PostgresError) -> String {
        switch error {
        case .server(let error) where error.sqlState == .readOnlyTransaction: "takes no writes"
        case .server(let error) where error.isLackOfResources: "is out of disk or memory"
        case .server(let error) where error.sqlState == .queryCanceled || error.isFatal: "does not answer"
        case .server: "refuses to write"
        default: "does not answer"
        }
    }

    /// Adds the check `redis`: the server is degraded without Redis, and with one that refuses publications. Events are
    /// then delivered from the log, which is later but loses nothing.
    /// - Parameter refusal: the error code with which Redis refuses publications; `nil` while it accepts them.
    public func register(_ redis: RedisClient, refusal: @escaping @Sendable () -> String?) {
        register("redis", severity: .degraded) {
            guard redis.isConnected else { return .failing("not connected") }
            if let reason = refusal() { return .failing("refuses publications: \(reason)") }
            return await redis.isReplica() ? .failing("is a replica") : .ok
        }
    }

    /// Adds the check `keys`: the server is unavailable without public keys, since it can verify no token.
    public func register(_ tokens: TokenVerifier) {
        register("keys") { tokens.isReady ? .ok : .failing("not fetched yet") }
    }
}
