import CommonLogging
import CommonUtil
import Glibc
import Logging
import Metrics
import NIOCore
import Synchronization

/// Decides which requests an accepted connection may make. Limits the connections of an address
/// (`CHAT_LIMIT_CONNECTIONS_PER_ADDRESS`), and reserves the last descriptors for health checks, metrics and the
/// connections to PostgreSQL and Redis.
final class ConnectionGate: Sendable {
    private let maximumPerAddress: Int
    private let trustedProxies: [AddressRange]
    private let counts = Mutex<[PeerAddress: Int]>([:])
    private let refusals: Counter
    private let spares: SpareDescriptors
    private let shortage: RateLimitedLogger

    /// - Parameters:
    ///   - maximumPerAddress: the limit; 0 for none.
    ///   - trustedProxies: addresses whose connections are not counted, since they are those of many clients.
    ///   - metrics: where refusals are counted (`chat_rate_limited_total`).
    init(
        maximumPerAddress: Int, trustedProxies: [AddressRange], spares: SpareDescriptors = .ofProcess,
        metrics: any MetricsFactory, logger: Logger
    ) {
        self.spares = spares
        refusals = RateLimitName.connectionsPerAddress.refusals(in: metrics)
        self.maximumPerAddress = maximumPerAddress
        self.trustedProxies = trustedProxies
        shortage = RateLimitedLogger(
            logger: logger,
            message: "File descriptors are nearly used up: new connections get only health checks and metrics")
    }

    /// Decides on a connection. Must be called once for it, on its event loop.
    /// - Returns: `nil` if the connection has to be closed.
    func access(for connection: AcceptedConnection) -> ConnectionAccess? {
        guard let descriptor = connection.descriptor else { return .all }
        // Another event loop has just given the spare descriptors back: they are not for connections.
        guard !spares.isShort, let access = DescriptorReserve.access(descriptor, limit: FileDescriptors.limit ?? .max)
        else {
            shortage.warning()
            return nil
        }
        if access == .operations { shortage.warning() }
        guard maximumPerAddress > 0, let peer = PeerAddress(of: descriptor), !isProxy(peer) else { return access }
        let block = peer.block
        guard count(block) else {
            refusals.increment()
            return nil
        }
        connection.channel.closeFuture.whenComplete { [self] _ in release(block) }
        return access
    }

    private func isProxy(_ address: PeerAddress) -> Bool {
        guard !trustedProxies.isEmpty else { return false }
        let text = address.text
        return trustedProxies.contains { $0.contains(text) }
    }

    private func count(_ block: PeerAddress) -> Bool {
        counts.withLock { counts in
            let count = counts[block, default: 0]
            guard count < maximumPerAddress else { return false }
            counts[block] = count + 1
            return true
        }
    }

    private func release(_ block: PeerAddress) {
        counts.withLock { counts in
            guard let count = counts[block] else { return }
            counts[block] = count > 1 ? count - 1 : nil
        }
    }
}

/// A connection that was accepted.
public struct AcceptedConnection {
    public let channel: any Channel
    /// NIO's descriptor, which is open as long as the channel is active; `nil` for a channel without one. Found once, since
    /// that takes a cast of 13,700 instructions.
    public let descriptor: CInt?

    init(_ channel: any Channel) {
        self.channel = channel
        descriptor = channel.descriptor
    }
}

/// The file descriptors of a process that ordinary connections do not get.
enum DescriptorReserve {
    private static let maximum = 64

    /// The access of a connection, by its descriptor. The kernel assigns the lowest free one (`accept(2)`), so its number
    /// shows how many are in use.
    /// - Returns: `nil` for a connection that has to be closed: the rest is for files, PostgreSQL and Redis.
    static func access(_ descriptor: CInt, limit: Int) -> ConnectionAccess? {
        let reserve = min(maximum, limit / 4)
        let left = limit - Int(descriptor)
        return left > reserve ? .all : left > reserve / 2 ? .operations : nil
    }
}

/// Descriptors that are held in order to be given back when there are no others.
///
/// A process must not be without a free descriptor for long: libdispatch, which runs Swift's tasks on Linux, opens
/// `/proc/<thread>/stat` of its threads once a second and ends the process where that fails
/// (`_dispatch_workq_count_runnable_workers`).
final class SpareDescriptors: Sendable {
    private struct State {
        var held: [CInt] = []
        var isShort = false
    }

    /// Those of this process, since its limit is one for all. Should be held before anything else takes descriptors: they
    /// then have low numbers, and stay below a limit that is lowered later.
    static let ofProcess = SpareDescriptors(count: 16)

    private let count: Int
    private let state = Mutex(State())

    init(count: Int) { self.count = count }

    deinit { release() }

    /// Whether the spare descriptors were given back because there were no others.
    var isShort: Bool { state.withLock(\.isShort) }

    /// Takes the spare descriptors, or those that are missing.
    /// - Returns: `false` if hardly more than these are free. Then none is taken.
    func hold() -> Bool {
        state.withLock { state in
            let missing = count - state.held.count
            if missing > 0 {
                guard let free = Self.freeCount, free >= 2 * count else {
                    return false
                }
                for _ in 0..<missing {
                    let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
                    if descriptor >= 0 { state.held.append(descriptor) }
                }
            }
            state.isShort = false
            return true
        }
    }

    /// Gives the spare descriptors back, until ``hold()`` succeeds.
    func release() {
        state.withLock { state in
            for descriptor in state.held { close(descriptor) }
            state = State(isShort: true)
        }
    }

    /// The number of descriptors that could be opened; `nil` if it cannot be read.
    private static var freeCount: Int? {
        let limit = FileDescriptors.limit ?? .max
        return FileDescriptors.open.map { open in limit - open.count { $0 < limit } }
    }
}

/// The requests that a connection may make.
enum ConnectionAccess: Equatable, Sendable {
    case all
    /// One request for health or metrics: descriptors are nearly used up.
    case operations

    /// Time for the head of a request.
    var headTimeout: TimeAmount {
        switch self {
        case .all: RequestBounds.headTimeout
        case .operations: .seconds(2)
        }
    }

    /// - Returns: the error of a request that may not be made; `nil` for one that may.
    func refusal(of head: RequestHead) -> ChatError? {
        switch self {
        case .all: nil
        case .operations:
            ["/health/live", "/health/ready", "/metrics"].contains { head.isTarget($0) }
                ? nil : .unavailable("The server has no place for more connections")
        }
    }
}
