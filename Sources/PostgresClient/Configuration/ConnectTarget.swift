/// One address of a server.
struct ConnectTarget: Hashable, Sendable {
    /// The name in the URI, which TLS checks the certificate against.
    var host: String
    /// The numeric address; empty for a socket's folder.
    var address: String
    /// Empty for the default port.
    var port: String
}

/// The order in which the addresses of a URI are tried.
///
/// libpq itself tries the next address where one refuses the connection or does not fit `target_session_attrs`. Other
/// failures end the attempt: no response from a machine that is down, or a closed connection from a proxy before a
/// server that is down. So the next attempt begins after that address.
struct ConnectOrder {
    private var first: ConnectTarget?

    func sorted(_ targets: [ConnectTarget]) -> [ConnectTarget] {
        guard let start = first.flatMap(targets.firstIndex(of:)) else { return targets }
        return Array(targets[start...] + targets[..<start])
    }

    /// An attempt with these targets failed at the one at `position`.
    mutating func failed(at position: Int, of targets: [ConnectTarget]) {
        first = targets[(position + 1) % targets.count]
    }

    /// An attempt succeeded at the one at `position`, which is first from now on.
    mutating func connected(to position: Int, of targets: [ConnectTarget]) { first = targets[position] }
}
