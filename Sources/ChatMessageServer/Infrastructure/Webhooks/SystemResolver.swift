import CommonUtil
import Glibc
import NIOPosix

/// The resolver of the system (getaddrinfo), which blocks: it has threads of its own.
final class SystemResolver: NameResolving {
    /// Names that are looked up at once; further ones wait.
    private static let threads = 16

    private let pool = NIOThreadPool(numberOfThreads: threads)

    init() { pool.start() }

    deinit { pool.shutdownGracefully { _ in } }

    func addresses(of name: String) async -> [String] {
        (try? await pool.runIfActive { Self.lookUp(name) }) ?? []
    }

    private static func lookUp(_ name: String) -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [String] = []
        var next = list
        while let entry = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
                == 0
            {
                addresses.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
            }
            next = entry.pointee.ai_next
        }
        return addresses
    }
}
