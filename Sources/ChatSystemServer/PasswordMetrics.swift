import Metrics

/// How long callers wait for a password's hash.
public struct PasswordMetrics: Sendable {
    private let seconds = Metrics.Timer(label: "chat_password_hash_seconds")

    public init() {}

    public func note(_ duration: Duration) { seconds.recordNanoseconds(Int64(duration / .nanoseconds(1))) }
}
