import Foundation
import Synchronization

/// Unused TCP ports of the loopback address.
public enum FreePort {
    private static let given = Mutex<Set<Int>>([])

    // Below the range from which Linux takes the local ports of outgoing connections (32768 and up): a port of that
    // range could be taken by any client in the moment before the server binds it, or while it restarts.
    private static let range = 15_000..<32_000

    /// A free port, never the same twice in one process.
    /// - Throws: `LocalStackError` if none is found.
    public static func next() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: range)
            guard given.withLock({ $0.insert(port).inserted }) else { continue }
            if isFree(port) { return port }
        }
        throw LocalStackError("No free TCP port on 127.0.0.1 between \(range.lowerBound) and \(range.upperBound)")
    }

    /// Whether nothing listens on this port on the loopback address now.
    public static func isFree(_ port: Int) -> Bool { (try? state(of: port, on: ReachableHost.loopback)) == .free }

    /// What a server finds that tries to listen on a port.
    public enum State: Sendable, Equatable {
        case free
        case inUse
        /// The host is no address of this machine.
        case elsewhere
        /// Another reason, such as a port that only root may take.
        case refused(String)
    }

    /// - Parameter host: a name or an IPv4 address of this machine.
    /// - Throws: `LocalStackError` if there is no such host.
    public static func state(of port: Int, on host: String) throws -> State {
        let socket = try TCPSocket()
        // As servers do, so that connections in TIME_WAIT are no obstacle.
        socket.setReuseAddress()
        switch try socket.bind(host: host, port: port) {
        case 0: return .free
        case EADDRINUSE: return .inUse
        case EADDRNOTAVAIL: return .elsewhere
        case let code: return .refused(describe(errno: code))
        }
    }
}
