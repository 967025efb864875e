import CommonUtil
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Hashes passwords with scrypt (RFC 7914), on threads of its own: one hash of cost 17 takes 128 MiB and about half a
/// second, which must not hold an event loop. They are half as many as there are processors, and stand back for all
/// others: niceness alone does not help those of another session or container (`sched(7)`, autogroups).
///
/// To be run as a service, or shut down with ``shutdown()``.
public final class PasswordHasher: Service {
    private static let r = 8
    private static let p = 1
    /// Callers beyond this number, waiting and working, get `unavailable`.
    private static let maximumCallers = 32

    private let cost: Int
    private let threads = NIOThreadPool(numberOfThreads: max(1, System.coreCount / 2))
    private let callers = Mutex(0)
    private let onHash: @Sendable (Duration) -> Void
    /// What unknown users are compared with; never equal to a hash, for nobody knows its password.
    private let nobody: PasswordHash

    /// - Parameters:
    ///   - cost: log2 of scrypt's N (`CHAT_PASSWORD_COST`).
    ///   - onHash: hears of each hash, with the time that it took, the wait for a thread included.
    public init(cost: Int, onHash: @escaping @Sendable (Duration) -> Void = { _ in }) {
        self.cost = cost
        self.onHash = onHash
        nobody = PasswordHash(
            cost: cost, r: Self.r, p: Self.p, salt: RandomBytes.make(count: PasswordHash.saltBytes),
            hash: RandomBytes.make(count: PasswordHash.hashBytes))
        threads.start()
    }

    public func run() async throws {
        try? await gracefulShutdown()
        await shutdown()
    }

    /// Waits for what is being hashed.
    public func shutdown() async { try? await threads.shutdownGracefully() }

    /// - Returns: a PHC string, `$scrypt$ln=17,r=8,p=1$salt$hash`.
    public func hash(_ password: String) async throws(ChatError) -> String {
        let cost = cost
        let salt = RandomBytes.make(count: PasswordHash.saltBytes)
        let hash = try await work {
            try PasswordHash.derive(
                password, cost: cost, r: Self.r, p: Self.p, salt: salt, count: PasswordHash.hashBytes)
        }
        return PasswordHash(cost: cost, r: Self.r, p: Self.p, salt: salt, hash: hash).text
    }

    /// Compares with what ``hash(_:)`` made, perhaps with another cost.
    /// - Returns: whether it is the same password.
    /// - Throws: `internal_error` where `text` is no such string, `unavailable` where too many callers wait.
    public func verify(_ password: String, against text: String) async throws(ChatError) -> Bool {
        guard let stored = PasswordHash(text: text) else {
            throw ChatError(.internalError, "A stored password hash cannot be read")
        }
        return try await verify(password, against: stored)
    }

    /// Takes as long as ``verify(_:against:)``, so that a stranger cannot tell who is registered.
    /// - Returns: `false`.
    @discardableResult
    public func verifyAgainstNothing(_ password: String) async throws(ChatError) -> Bool {
        try await verify(password, against: nobody)
    }

    /// Whether a hash was made with other parameters than today's and should be replaced at the next login.
    public func needsRehash(_ text: String) -> Bool {
        guard let stored = PasswordHash(text: text) else { return true }
        return stored.cost != cost || stored.r != Self.r || stored.p != Self.p
            || stored.salt.count != PasswordHash.saltBytes || stored.hash.count != PasswordHash.hashBytes
    }

    // MARK: Work

    private func verify(_ password: String, against stored: PasswordHash) async throws(ChatError) -> Bool {
        let hash = try await work {
            try PasswordHash.derive(
                password, cost: stored.cost, r: stored.r, p: stored.p, salt: stored.salt, count: stored.hash.count)
        }
        return ConstantTime.areEqual(hash, stored.hash)
    }

    private func work(_ body: @escaping @Sendable () throws -> [UInt8]) async throws(ChatError) -> [UInt8] {
        let isAdmitted = callers.withLock { callers in
            guard callers < Self.maximumCallers else { return false }
            callers += 1
            return true
        }
        guard isAdmitted else { throw .unavailable("Too many passwords are being checked right now") }
        defer { callers.withLock { $0 -= 1 } }
        let start = ContinuousClock.now
        defer { onHash(ContinuousClock.now - start) }
        do {
            return try await threads.runIfActive {
                ThreadPriority.standBack()
                return try body()
            }
        } catch is Scrypt.Failure {
            throw .unavailable("There is not enough memory to check a password right now")
        } catch {
            throw .unavailable("The service is stopping")
        }
    }
}
