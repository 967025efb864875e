/// The failure of a Redis command or subscription. Never holds a password or a sent payload.
public enum RedisError: Error, Sendable, Hashable {
    /// There is no connection now. Nothing was sent.
    case notConnected
    /// The connection broke. With `outcomeUnknown` the command may or may not have been executed.
    case connectionLost(outcomeUnknown: Bool)
    /// No reply within the deadline. The command may or may not have been executed.
    case timedOut
    /// A bound (commands in flight, bytes in flight, subscribed names) is reached. Nothing was sent.
    case overloaded
    /// The server's error reply, as it came, e.g. `WRONGTYPE Operation against a key …`.
    case server(String)
    /// The server's bytes are not RESP2, or a reply has no request.
    case protocolViolation
    /// The configuration cannot work. The text names the part, never its secret.
    case invalidConfiguration(String)
    /// `run()` has ended: this client will not connect again.
    case closed
    /// The waiting task was cancelled. The command may still be executed.
    case cancelled
}

extension RedisError: CustomStringConvertible {
    /// The error for logs.
    public var description: String {
        switch self {
        case .notConnected: "not connected to Redis"
        case .connectionLost(let outcomeUnknown):
            outcomeUnknown ? "connection to Redis lost, outcome unknown" : "connection to Redis lost, nothing sent"
        case .timedOut: "no reply from Redis in time"
        case .overloaded: "too much is in flight to Redis"
        case .server(let message): "Redis refused: \(message)"
        case .protocolViolation: "Redis sent what is not RESP2"
        case .invalidConfiguration(let part): "invalid Redis configuration: \(part)"
        case .closed: "the Redis client is closed"
        case .cancelled: "cancelled"
        }
    }
}
