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

/// The web origins whose pages may call (CORS, and the handshake's `Origin`, RFC 6455 section 10.2).
public enum AllowedOrigins: Equatable, Sendable {
    case any
    case these(Set<String>)

    /// - Returns: `nil` where an element is no `scheme://host[:port]`.
    init?(text: String) {
        if text == "*" {
            self = .any
            return
        }
        let origins = text.split(separator: ",").map { Self.normalised($0) }
        guard !origins.isEmpty, origins.allSatisfy(Self.isOrigin) else { return nil }
        self = .these(Set(origins))
    }

    /// Requests without `Origin` come from no browser and are not this check's concern.
    public func allows(_ origin: String?) -> Bool {
        guard let origin else { return true }
        switch self {
        case .any: return true
        case .these(let origins): return origins.contains(Self.normalised(origin))
        }
    }

    private static func normalised(_ origin: some StringProtocol) -> String {
        origin.split(separator: " ").joined().lowercased()
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = text.firstRange(of: "://") else { return false }
        let authority = text[scheme.upperBound...]
        return scheme.lowerBound > text.startIndex && !authority.isEmpty && !authority.contains("/")
    }
}
