import NIOCore

/// A message that someone published (<https://redis.io/docs/latest/develop/interact/pubsub/>).
public struct RedisMessage: Sendable, Hashable {
    /// The channel it was published to.
    public let channel: String
    /// The pattern it was received through; `nil` if through the channel itself.
    public let pattern: String?
    /// The published bytes.
    public let payload: ByteBuffer

    public init(channel: String, pattern: String?, payload: ByteBuffer) {
        self.channel = channel
        self.pattern = pattern
        self.payload = payload
    }
}
