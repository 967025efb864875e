import CommonUtil
import Glibc
import Logging
import Metrics
import NIOCore
import Synchronization

/// Decides for each accepted connection what it may ask for: it counts those of an address
/// (`CHAT_LIMIT_CONNECTIONS_PER_ADDRESS`) and keeps the last descriptors for health checks, metrics and the engines.
final class ConnectionGate: Sendable {
    private let maximumPerAddress: Int
    private let trustedProxies: [AddressRange]
    private let counts = Mutex<[String: Int]>([:])
    private let refusals: Counter
    private let warning: RateLimitedWarning

    /// - Parameters:
    ///   - maximumPerAddress: 0 for any number.
    ///   - trustedProxies: whose connections are other people's, and not counted.
    init(
        maximumPerAddress: Int, trustedProxies: [AddressRange], metrics: any MetricsFactory, logger: Logger
    ) {
        refusals = RateLimitName.connectionsPerAddress.refusals(in: metrics)
        self.maximumPerAddress = maximumPerAddress
        self.trustedProxies = trustedProxies
        warning = RateLimitedWarning(logger)
    }

    /// To be called once for a connection, on its event loop.
    /// - Returns: `nil` for a connection that has to be closed.
    func access(for channel: any Channel) -> ConnectionAccess? {
        let pipeline = channel.pipeline.syncOperations
        guard let descriptor = try? pipeline.withUnsafeTransportIfAvailable(of: CInt.self, { $0 }) else { return .all }
        guard let access = DescriptorReserve.access(descriptor, limit: FileDescriptorLimit.current) else {
            warnOfShortage()
            return nil
        }
        if access == .operations { warnOfShortage() }
        guard maximumPerAddress > 0, let peer = PeerAddress(of: descriptor)?.text, !isProxy(peer) else {
            return access
        }
        let block = AddressBlock.of(peer)
        guard count(block) else {
            refusals.increment()
            return nil
        }
        channel.closeFuture.whenComplete { [self] _ in release(block) }
        return access
    }

    private func warnOfShortage() {
        warning.log("File descriptors are nearly used up: new connections get only health checks and metrics")
    }

    private func isProxy(_ address: String) -> Bool { trustedProxies.contains { $0.contains(address) } }

    private func count(_ block: String) -> Bool {
        counts.withLock { counts in
            let count = counts[block, default: 0]
            guard count < maximumPerAddress else { return false }
            counts[block] = count + 1
            return true
        }
    }

    private func release(_ block: String) {
        counts.withLock { counts in
            guard let count = counts[block] else { return }
            counts[block] = count > 1 ? count - 1 : nil
        }
    }
}

/// The last descriptors of a process.
enum DescriptorReserve {
    private static let maximum = 64

    /// The kernel gives out the lowest descriptor that is free, so a connection's own tells how many are in use.
    /// - Returns: `nil` for what has to be closed: the rest is for files and connections to the engines.
    static func access(_ descriptor: CInt, limit: Int) -> ConnectionAccess? {
        let reserve = min(maximum, limit / 4)
        let left = limit - Int(descriptor)
        return left > reserve ? .all : left > reserve / 2 ? .operations : nil
    }
}
