import Dispatch
import Glibc

/// Turns host names into addresses, off the event loop: `getaddrinfo` blocks, and so would `PQconnectPoll` if it were
/// given names.
enum HostResolver {
    // Serial: while the name server hangs, one thread hangs with it and no more.
    private static let queue = DispatchQueue(label: "PostgresClient.resolver")

    /// The addresses of each host, in the resolver's order; one empty address for what is none (a socket's folder). Of
    /// several hosts some may have no address now, as a machine that has gone may have no name any more.
    static func resolve(
        _ hosts: [String], then completion: @escaping @Sendable (Result<[[String]], PostgresError>) -> Void
    ) {
        queue.async {
            completion(
                Result { () throws(PostgresError) in
                    var resolved: [[String]] = []
                    var failure: PostgresError?
                    for host in hosts {
                        do throws(PostgresError) {
                            resolved.append(try addresses(of: host))
                        } catch {
                            resolved.append([])
                            failure = failure ?? error
                        }
                    }
                    if let failure, resolved.allSatisfy(\.isEmpty) { throw failure }
                    return resolved
                })
        }
    }

    private static func addresses(of host: String) throws(PostgresError) -> [String] {
        guard !host.isEmpty, !host.hasPrefix("/"), !host.hasPrefix("@") else { return [""] }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard status == 0 else {
            throw .connectFailed("cannot resolve \(host): \(String(cString: gai_strerror(status)))")
        }
        var addresses: [String] = []
        var next = list
        while let entry = next?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            {
                addresses.append(text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" })
            }
            next = entry.ai_next
        }
        guard !addresses.isEmpty else { throw .connectFailed("\(host) has no address") }
        return addresses
    }
}
