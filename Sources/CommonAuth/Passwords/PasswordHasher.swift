import CommonUtil
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Hashes passwords with scrypt (RFC 7914), on threads of its own: one hash of cost 17 takes 128 MiB and about half a
/// second, which must not hold an event loop. They are half as many as there are processors, and stand back for all
/// others: niceness alone does not help those of another session or container (`sched(7)`, autogroups).
///
/// Callers wait in a ``FairQueue`` by their addresses, so that one address cannot close the login for all.
///
/// To be run as a service, or shut down with ``shutdown()``.
public final class PasswordHasher: Service {
    private static let r = 8
    private static let p = 1
    /// Callers that wait; further ones get `unavailable`.
    private static let waitingCallers = 64
    private static let waitingCallersPerAddress = 8
    /// Who has waited for so long is not served any more: the client has given up.
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
    /// What unknown users are compared with; never equal to a hash, for nobody knows its password.
    private let nobody: (salt: [UInt8], hash: [UInt8])

    /// - Parameters:
    ///   - cost: log2 of scrypt's N (`CHAT_PASSWORD_COST`).
    ///   - onHash: hears of each hash, with the time that it took, the wait for a thread included.
    public init(cost: Int, onHash: @escaping @Sendable (Duration) -> Void = { _ in }) {
        self.cost = cost
        self.onHash = onHash
        threads = NIOThreadPool(numberOfThreads: threadCount)
        nobody = (
            RandomBytes.make(count: PasswordHash.saltBytes), RandomBytes.make(count: PasswordHash.hashBytes)
        )
        threads.start()
    }

    public func run() async throws {
        try? await gracefulShutdown()
        await shutdown()
    }

    /// Waits for what is being hashed; who waits for a thread is refused.
    public func shutdown() async {
        let waiting = state.withLock { state in
            state.isStopping = true
            return state.queue.removeAll()
        }
        for job in waiting { job.done(.failure(Self.stopping)) }
        try? await threads.shutdownGracefully()
    }

    /// - Parameter address: the caller's, as limits count it.
    /// - Returns: a PHC string, `$scrypt$ln=17,r=8,p=1$salt$hash`.
    public func hash(_ password: String, from address: String) async throws(ChatError) -> String {
        let cost = cost
        let salt = RandomBytes.make(count: PasswordHash.saltBytes)
        let hash = try await work(from: address) {
            try PasswordHash.derive(
                password, cost: cost, r: Self.r, p: Self.p, salt: salt, count: PasswordHash.hashBytes)
        }
        return PasswordHash(cost: cost, r: Self.r, p: Self.p, salt: salt, hash: hash).text
    }

    /// Compares with what ``hash(_:from:)`` made, perhaps with another cost.
    ///
    /// A wrong password takes as long whoever's it is: a hash of a lower cost than others is followed by the work that is
    /// missing to theirs.
    /// - Parameter highestCost: the highest one of any stored hash; `nil` where there is none, or where it does not matter
    ///   how long this takes.
    /// - Returns: whether it is the same password.
    /// - Throws: `internal_error` where `text` is no such string, `unavailable` where too many callers wait.
    public func verify(
        _ password: String, against text: String, highestCost: Int? = nil, from address: String
    ) async throws(ChatError) -> Bool {
        guard let stored = PasswordHash(text: text) else {
            throw ChatError(.internalError, "A stored password hash cannot be read")
        }
        return try await verify(
            password, against: stored, highestCost: highestCost.map { max($0, cost) } ?? stored.cost, from: address)
    }

    /// Takes as long as a wrong password of a user, so that a stranger cannot tell who is registered.
    /// - Parameter highestCost: as in ``verify(_:against:highestCost:from:)``.
    /// - Returns: `false`.
    @discardableResult
    public func verifyAgainstNothing(
        _ password: String, highestCost: Int?, from address: String
    ) async throws(ChatError) -> Bool {
        let nobody = PasswordHash(
            cost: max(cost, highestCost ?? cost), r: Self.r, p: Self.p, salt: nobody.salt, hash: nobody.hash)
        return try await verify(password, against: nobody, highestCost: nobody.cost, from: address)
    }

    /// Whether a hash was made with other parameters than today's and should be replaced at the next login.
    public func needsRehash(_ text: String) -> Bool {
        guard let stored = PasswordHash(text: text) else { return true }
        return stored.cost != cost || stored.r != Self.r || stored.p != Self.p
            || stored.salt.count != PasswordHash.saltBytes || stored.hash.count != PasswordHash.hashBytes
    }

    private func verify(
        _ password: String, against stored: PasswordHash, highestCost: Int, from address: String
    ) async throws(ChatError) -> Bool {
        let hash = try await work(from: address) {
            func derive(_ cost: Int) throws -> [UInt8] {
                try PasswordHash.derive(
                    password, cost: cost, r: stored.r, p: stored.p, salt: stored.salt, count: stored.hash.count)
            }
            let hash = try derive(stored.cost)
            if !ConstantTime.areEqual(hash, stored.hash), stored.cost < highestCost {
                // Each step of the cost doubles the work: 2^n + 2^n + 2^(n+1) … is the highest one's.
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

    /// Hands out threads for as long as there are any, and jobs.
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
                // First, so that no thread is idle while the answer is made.
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
