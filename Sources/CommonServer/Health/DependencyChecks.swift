import CommonAuth
import PostgresClient
import RedisClient

/// The readiness checks that several servers have, under the names of the contract.
extension HealthRegistry {
    /// Without PostgreSQL no server can do its job, nor with one that takes no writes. However many ask for readiness,
    /// PostgreSQL is asked once a second.
    public func register(_ postgres: PostgresClient) {
        register("postgres") {
            do throws(PostgresError) {
                try await postgres.proveWritable(timeout: .milliseconds(400))
                return .ok
            } catch {
                return .failing(Self.reason(error))
            }
        }
    }

    static func reason(_ error: PostgresError) -> String {
        switch error {
        case .server(let error) where error.sqlState == .readOnlyTransaction: "takes no writes"
        case .server(let error) where error.isLackOfResources: "is out of disk or memory"
        case .server(let error) where error.sqlState == .queryCanceled || error.isFatal: "does not answer"
        case .server: "refuses to write"
        default: "does not answer"
        }
    }

    /// Without Redis delivery goes by reading the log: later, but nothing is lost. So it does where Redis does not take
    /// what is published.
    /// - Parameter refusal: what Redis says for refusing publications, in a word; nil while it takes them.
    public func register(_ redis: RedisClient, refusal: @escaping @Sendable () -> String?) {
        register("redis", severity: .degraded) {
            guard redis.isConnected else { return .failing("not connected") }
            if let reason = refusal() { return .failing("refuses publications: \(reason)") }
            return await redis.isReplica() ? .failing("is a replica") : .ok
        }
    }

    /// Without public keys no token can be checked.
    public func register(_ tokens: TokenVerifier) {
        register("keys") { tokens.isReady ? .ok : .failing("not fetched yet") }
    }
}
