import NIOCore
import NIOPosix

/// Why there is no connection: an error for callers and a short reason for logs and health checks, both without secrets.
struct ConnectionFailure: Error, Sendable, Hashable {
    let error: RedisError
    let reason: String

    init(_ error: RedisError, reason: String? = nil) {
        self.error = error
        self.reason = reason ?? error.description
    }

    /// Whether waiting alone will hardly help.
    var needsOperator: Bool {
        switch error {
        case .server, .invalidConfiguration: true
        default: false
        }
    }

    /// Errors of NIO and NIOSSL name addresses and certificates, never credentials.
    init(connecting error: any Error) {
        switch error {
        case let failure as ConnectionFailure: self = failure
        case let error as RedisError: self.init(error)
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError
            self.init(.notConnected, reason: cause.map { "\($0)" } ?? "the name cannot be resolved")
        default: self.init(.notConnected, reason: "\(error)")
        }
    }
}
