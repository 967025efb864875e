/// How a server is reached from the machine that it runs on.
public enum ReachableHost {
    public static let loopback = "127.0.0.1"

    /// The host to connect to for a server that listens on `host`; one that listens everywhere is asked by the loopback
    /// address.
    public static func of(_ host: String?) -> String {
        switch host {
        case nil, "", "0.0.0.0", "::", "[::]": loopback
        case let host?: host
        }
    }
}
