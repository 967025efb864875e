import NIOCore

/// An established connection, as the reconnecting loop sees it.
struct RedisLink: Sendable {
    let channel: any Channel
    /// Succeeds with the reason when the connection is gone.
    let lost: EventLoopFuture<String>
    /// Lets work in flight finish within a bound, then closes. May be called from anywhere, more than once.
    let shutDown: @Sendable () -> Void
}
