/// The web origins whose pages may call (CORS, and the handshake's `Origin`, RFC 6455 section 10.2).
public enum AllowedOrigins: Equatable, Sendable {
    case any
    /// Pages that this machine serves: `http` or `https`, `localhost`, `127.0.0.1` or `[::1]`, any port.
    case loopback
    /// As browsers write them.
    case these(Set<String>)

    static let anyText = "*"
    static let loopbackText = "loopback"

    /// - Returns: `nil` where an element is nothing that a browser sends as `Origin`.
    init?(text: String) {
        switch text {
        case Self.anyText: self = .any
        case Self.loopbackText: self = .loopback
        default:
            let parts = text.split(separator: ",")
            let origins = parts.compactMap { WebOrigin($0) }
            guard !origins.isEmpty, origins.count == parts.count else { return nil }
            self = .these(Set(origins.map(\.text)))
        }
    }

    /// Requests without `Origin` come from no browser and are not this check's concern.
    public func allows(_ origin: String?) -> Bool {
        guard let origin else { return true }
        switch self {
        case .any: return true
        case .loopback: return WebOrigin(origin)?.isLoopback ?? false
        // Nearly all browsers' text is in the set as it stands.
        case .these(let origins):
            return origins.contains(origin) || WebOrigin(origin).map { origins.contains($0.text) } ?? false
        }
    }
}
