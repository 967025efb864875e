import FoundationEssentials

/// The parts of a `redis://` or `rediss://` URL (IANA's provisional registration of the scheme).
struct RedisURL {
    let usesTLS: Bool
    let username: String?
    let password: Secret?
    let host: String
    let port: Int
    let database: Int

    /// No error text quotes the URL, since it may hold a password.
    init(parsing text: String) throws(RedisError) {
        guard let parts = URLComponents(string: text) else {
            throw .invalidConfiguration("the URL cannot be read")
        }
        switch parts.scheme?.lowercased() {
        case "redis": usesTLS = false
        case "rediss": usesTLS = true
        default: throw .invalidConfiguration("the URL's scheme must be redis or rediss")
        }
        guard let host = parts.host, !host.isEmpty else {
            throw .invalidConfiguration("the URL has no host")
        }
        // URLComponents keeps the brackets of an IPv6 address.
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        port = parts.port ?? 6379
        guard (1...65_535).contains(port) else {
            throw .invalidConfiguration("the URL's port must be 1 to 65535")
        }
        guard parts.query == nil, parts.fragment == nil else {
            throw .invalidConfiguration("the URL must not have a query or fragment")
        }
        username = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password.flatMap { $0.isEmpty ? nil : Secret($0) }
        guard username == nil || password != nil else {
            throw .invalidConfiguration("the URL has a user but no password")
        }
        database = try Self.database(path: parts.path)
    }

    private static func database(path: String) throws(RedisError) -> Int {
        let name = path.drop { $0 == "/" }
        if name.isEmpty { return 0 }
        guard let index = Int(name), index >= 0 else {
            throw .invalidConfiguration("the URL's path must be a database index")
        }
        return index
    }
}
