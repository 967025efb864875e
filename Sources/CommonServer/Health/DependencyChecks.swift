import CommonAuth
import PostgresClient
import RedisClient

/// The readiness checks that several servers have, under the names of the contract.
extension HealthRegistry {
    /// Without PostgreSQL no server can do its job.
    public func register(_ postgres: PostgresClient) {
        register("postgres") {
            do {
                try await postgres.ping(timeout: .milliseconds(400))
                return .ok
            } catch {
                return .failing("does not answer")
            }
        }
    }

    /// Without Redis delivery goes by reading the log: later, but nothing is lost.
    public func register(_ redis: RedisClient) {
        register("redis", severity: .degraded) { redis.isConnected ? .ok : .failing("not connected") }
    }

    /// Without public keys no token can be checked.
    public func register(_ tokens: TokenVerifier) {
        register("keys") { tokens.isReady ? .ok : .failing("not fetched yet") }
    }
}
