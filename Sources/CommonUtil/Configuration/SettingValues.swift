/// Whose word a server takes for who the caller is.
public enum AuthMode: String, CaseIterable, Sendable {
    /// A valid access token is required.
    case token
    /// The caller's word is taken. For local work, or behind a gateway that authenticates.
    case trusted
}

/// How a WebSocket server hears of events on Redis.
public enum RedisSubscribeMode: String, CaseIterable, Sendable {
    /// One `PSUBSCRIBE chat:room:*`.
    case pattern
    /// Only the rooms that have sessions here.
    case room
}

public enum LogLevel: String, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error, critical
}

public enum LogFormat: String, CaseIterable, Sendable {
    case json, text
}
