/// One address that a connection may lead to.
struct ConnectTarget: Hashable, Sendable {
    /// The name in the URI, which TLS checks the certificate against.
    var host: String
    /// The numeric address; empty for what needs none, a socket's folder.
    var address: String
    /// Empty for the usual one.
    var port: String
}

/// The order in which the addresses of a URI are tried.
///
/// libpq goes from address to address by itself where one refuses the connection or is no server for us. Anything else ends
/// an attempt there: no answer, from a machine that is gone, or an end of the connection, from a proxy before a server that
/// is gone. So the next attempt begins behind that address.
struct ConnectOrder {
    private var first: ConnectTarget?

    func sorted(_ targets: [ConnectTarget]) -> [ConnectTarget] {
        guard let start = first.flatMap(targets.firstIndex(of:)) else { return targets }
        return Array(targets[start...] + targets[..<start])
    }

    /// An attempt went through these in this order and came to its end at the one at `position`.
    mutating func failed(at position: Int, of targets: [ConnectTarget]) {
        first = targets[(position + 1) % targets.count]
    }

    /// The one at `position` has let us in: it comes first from now on.
    mutating func connected(to position: Int, of targets: [ConnectTarget]) { first = targets[position] }
}
