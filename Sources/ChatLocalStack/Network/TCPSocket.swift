import Foundation

/// A blocking IPv4 socket for the few bytes that readiness probes exchange.
final class TCPSocket {
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw LocalStackError.systemCall("socket", errno: errno) }
    }

    deinit {
        close(descriptor)
    }

    func setReuseAddress() {
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Binds to a port of `host`, a name or an IPv4 address.
    /// - Returns: 0, or the `errno` of the failure.
    func bind(host: String = ReachableHost.loopback, port: Int) throws -> Int32 {
        withAddress(try Self.address(of: host), port) { Foundation.bind(descriptor, $0, $1) } == 0 ? 0 : errno
    }

    /// Connects to `host`, a name or an IPv4 address, and bounds this and every later step by `timeout`.
    func connect(host: String, port: Int, timeout: Duration) throws {
        var time = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: 0)
        time.tv_usec = Int(timeout.components.attoseconds / 1_000_000_000_000)
        // On Linux SO_SNDTIMEO bounds connect(2), too (socket(7)).
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        guard withAddress(try Self.address(of: host), port, { Foundation.connect(descriptor, $0, $1) }) == 0 else {
            throw LocalStackError.systemCall("connect to \(host):\(port)", errno: errno)
        }
    }

    func write(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw LocalStackError.systemCall("send", errno: errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads what is there, at least one byte; empty at the end of the stream.
    func read() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw LocalStackError.systemCall("receive", errno: errno) }
        return Array(buffer.prefix(count))
    }

    private static func address(of host: String) throws -> String {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, let found = list else {
            throw LocalStackError("There is no host named \(host)")
        }
        defer { freeaddrinfo(found) }
        var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
        let address = found.pointee
        getnameinfo(address.ai_addr, address.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func withAddress(
        _ host: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            errno = EINVAL
            return -1
        }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// How a server is reached from the machine that it runs on.
public enum ReachableHost {
    /// The IPv4 loopback address.
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
