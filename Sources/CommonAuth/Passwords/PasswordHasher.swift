import CommonUtil
import Glibc
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Hashes passwords with scrypt (RFC 7914) on threads of its own, since a hash of cost 17 needs 128 MiB and about half a
/// second, which would block an event loop. There are half as many threads as cores, with a lower priority: niceness alone
/// does not protect the processes of another session or container (autogroups, `sched(7)`).
///
/// Callers wait in a ``FairQueue`` by address, so that one address cannot block the login of others.
///
/// Must be run as a service, or shut down with ``shutdown()``.
public final class PasswordHasher: Service {
    private static let r = 8
    private static let p = 1
    /// Maximum number of waiting callers; further ones get `unavailable`.
    private static let waitingCallers = 64
    /// Half of them: a team behind one address may log in at once, and the queue makes room for other addresses.
    private static let waitingCallersPerAddress = 32
    /// Callers that have waited longer get `unavailable`, since most clients have given up by then.
    private static let longestWait = Duration.seconds(20)

    private struct Job: Sendable {
        let deadline: ContinuousClock.Instant
        let work: @Sendable () throws -> [UInt8]
        let done: @Sendable (Result<[UInt8], ChatError>) -> Void
    }

    private struct State {
        var queue = FairQueue<String, Job>(
            capacity: PasswordHasher.waitingCallers, placesPerKey: PasswordHasher.waitingCallersPerAddress)
        var running = 0
        var isStopping = false
    }

    private let cost: Int
    private let threadCount = max(1, System.coreCount / 2)
    private let threads: NIOThreadPool
    private let state = Mutex(State())
    private let onHash: @Sendable (Duration) -> Void
    private let onDerive: @Sendable (Int) -> Void
    /// A random hash for unknown users, which matches no password.
    private let dummy: (salt: [UInt8], hash: [UInt8])

    /// - Parameters:
    ///   - cost: log2 of scrypt's N (`CHAT_PASSWORD_COST`).
    ///   - onHash: called after each hash with its time, including the wait for a thread.
    public convenience init(cost: Int, onHash: @escaping @Sendable (Duration) -> Void = { _ in }) {
        self.init(cost: cost, onHash: onHash, onDerive: { _ in })
    }

    /// - Parameter onDerive: called before each run of scrypt with its cost.
    init(
        cost: Int, onHash: @escaping @Sendable (Duration) -> Void = { _ in },
        onDerive: @escaping @Sendable (Int) -> Void
    ) {
        self.cost = cost
        self.onHash = onHash
        self.onDerive = onDerive
        threads = NIOThreadPool(numberOfThreads: threadCount)
        dummy = (
            RandomBytes.make(count: PasswordHash.saltBytes), RandomBytes.make(count: PasswordHash.hashBytes)
        )
        threads.start()
    }

    /// Waits for the graceful shutdown, then shuts down.
    public func run() async throws {
        try? await gracefulShutdown()
        await shutdown()
    }

    /// Refuses waiting callers, and waits for the hashes in progress.
    public func shutdown() async {
        let waiting = state.withLock { state in
            state.isStopping = true
            return state.queue.removeAll()
        }
        for job in waiting { job.done(.failure(Self.stopping)) }
        try? await threads.shutdownGracefully()
    }

    /// Hashes a password.
    /// - Parameter address: the caller's address, as limits count it.
    /// - Returns: a PHC string, `$scrypt$ln=17,r=8,p=1$salt$hash`.
    public func hash(_ password: String, from address: String) async throws(ChatError) -> String {
        let cost = cost
        let salt = RandomBytes.make(count: PasswordHash.saltBytes)
        let hash = try await work(from: address) { [onDerive] in
            onDerive(cost)
            return try PasswordHash.derive(
                password, cost: cost, r: Self.r, p: Self.p, salt: salt, count: PasswordHash.hashBytes)
        }
        return PasswordHash(cost: cost, r: Self.r, p: Self.p, salt: salt, hash: hash).text
    }

    /// Compares a password with a stored hash, of any cost.
    ///
    /// A wrong password takes the same time for every user: after a hash of a lower cost the missing work is done too.
    /// - Parameters:
    ///   - text: the stored PHC string.
    ///   - highestCost: the highest cost of any stored hash; `nil` if there is none, or the time does not matter.
    ///   - address: the caller's address, as limits count it.
    /// - Returns: whether the password matches.
    /// - Throws: `internal_error` where `text` is not a PHC string, `unavailable` if too many callers wait.
    public func verify(
        _ password: String, against text: String, highestCost: Int? = nil, from address: String
    ) async throws(ChatError) -> Bool {
        guard let stored = PasswordHash(text: text) else {
            throw ChatError(.internalError, "A stored password hash cannot be read")
        }
        return try await verify(
            password, against: stored, highestCost: highestCost.map { max($0, cost) } ?? stored.cost, from: address)
    }

    /// Takes as long as a wrong password of a user, so that the time does not show whether a user exists.
    /// - Parameter highestCost: as in ``verify(_:against:highestCost:from:)``.
    /// - Returns: `false`.
    @discardableResult
    public func verifyAgainstNothing(
        _ password: String, highestCost: Int?, from address: String
    ) async throws(ChatError) -> Bool {
        let hash = PasswordHash(
            cost: max(cost, highestCost ?? cost), r: Self.r, p: Self.p, salt: dummy.salt, hash: dummy.hash)
        return try await verify(password, against: hash, highestCost: hash.cost, from: address)
    }

    /// Whether a hash has other parameters than new ones, and should be replaced on the next login.
    public func needsRehash(_ text: String) -> Bool {
        guard let stored = PasswordHash(text: text) else { return true }
        return stored.cost != cost || stored.r != Self.r || stored.p != Self.p
            || stored.salt.count != PasswordHash.saltBytes || stored.hash.count != PasswordHash.hashBytes
    }

    private func verify(
        _ password: String, against stored: PasswordHash, highestCost: Int, from address: String
    ) async throws(ChatError) -> Bool {
        let hash = try await work(from: address) { [onDerive] in
            func derive(_ cost: Int) throws -> [UInt8] {
                onDerive(cost)
                return try PasswordHash.derive(
                    password, cost: cost, r: stored.r, p: stored.p, salt: stored.salt, count: stored.hash.count)
            }
            let hash = try derive(stored.cost)
            if !ConstantTime.areEqual(hash, stored.hash), stored.cost < highestCost {
                // Each step of the cost doubles the work: 2^n + 2^n + 2^(n+1) + … is that of the highest cost.
                for cost in stored.cost..<highestCost { _ = try derive(cost) }
            }
            return hash
        }
        return ConstantTime.areEqual(hash, stored.hash)
    }

    // MARK: Threads

    private static let tooMany = ChatError.unavailable("Too many passwords are being checked right now")
    private static let stopping = ChatError.unavailable("The service is stopping")

    private func work(
        from address: String, _ body: @escaping @Sendable () throws -> [UInt8]
    ) async throws(ChatError) -> [UInt8] {
        let start = ContinuousClock.now
        let result = await withCheckedContinuation { caller in
            enqueue(
                Job(deadline: start + Self.longestWait, work: body, done: { caller.resume(returning: $0) }),
                from: address)
        }
        if case .success = result { onHash(ContinuousClock.now - start) }
        return try result.get()
    }

    private func enqueue(_ job: Job, from address: String) {
        let refused: (job: Job, error: ChatError)? = state.withLock { state in
            if state.isStopping { return (job, Self.stopping) }
            return state.queue.append(job, for: address).map { ($0, Self.tooMany) }
        }
        refused.map { $0.job.done(.failure($0.error)) }
        startJobs()
    }

    /// Starts jobs while there are free threads.
    private func startJobs() {
        while true {
            let job = state.withLock { state -> Job? in
                guard state.running < threadCount, let job = state.queue.popFirst() else { return nil }
                state.running += 1
                return job
            }
            guard let job else { return }
            guard job.deadline > .now else {
                state.withLock { $0.running -= 1 }
                job.done(.failure(Self.tooMany))
                continue
            }
            threads.submit { thread in
                let result: Result<[UInt8], ChatError> =
                    if case .active = thread { Self.perform(job) } else { .failure(Self.stopping) }
                self.state.withLock { $0.running -= 1 }
                // Before the result is delivered, so that no thread is idle meanwhile.
                self.startJobs()
                job.done(result)
            }
        }
    }

    private static func perform(_ job: Job) -> Result<[UInt8], ChatError> {
        ThreadPriority.lowerPriority()
        do {
            return .success(try job.work())
        } catch {
            return .failure(.unavailable("There is not enough memory to check a password right now"))
        }
    }
}

/// The priority of the calling thread. On Linux niceness is per thread (`sched(7)`, `setpriority(2)`).
enum ThreadPriority {
    /// A thread with 15 gets about a thirtieth of the time of an ordinary one, and all idle time.
    private static let niceness: CInt = 15

    /// Lowers the priority, unless the process already has a lower one.
    static func lowerPriority() {
        guard getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) < niceness else { return }
        // Lowering the own priority is always allowed. A failure would not matter.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
    }
}
