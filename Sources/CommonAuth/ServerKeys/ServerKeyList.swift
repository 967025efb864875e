import CommonUtil
import Logging
import ServiceLifecycle
import Synchronization

/// The servers' keys, in the memory of a process. They are few, so all of them are read: every two seconds, and at once for
/// a key that is not known yet. A revoked key is refused within five seconds, also while the database does not respond.
public final class ServerKeyList: Service {
    /// A key with the hash of its secret.
    public typealias Entry = (hash: [UInt8], key: ServerKey)
    /// Reads all keys.
    public typealias Read = @Sendable () async throws -> [Entry]

    /// The intervals of reads.
    public struct Timing: Sendable {
        /// The longest time between two reads; jittered down to three quarters, so that servers do not read together.
        public var interval = Duration.seconds(2)
        /// What was read longer ago is not used any more. With the interval and the time of a read, less than 5 s.
        public var maximumAge = Duration.seconds(4)
        /// The shortest time between two reads for unknown keys, since callers can invent them.
        public var unknownKeyInterval = Duration.milliseconds(100)

        /// Creates the defaults.
        public init() {}
    }

    private struct State {
        var keys: [[UInt8]: ServerKey] = [:]
        /// The begin of the last successful read.
        var readAt: ContinuousClock.Instant?
        /// What was read before does not count.
        var changedAt: ContinuousClock.Instant?
        /// The begin of the last attempt.
        var triedAt: ContinuousClock.Instant?
        var reading: Task<ContinuousClock.Instant, Never>?
    }

    private let read: Read
    private let timing: Timing
    private let now: @Sendable () -> Timestamp
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameters:
    ///   - read: reads from the database.
    ///   - now: the clock by which keys expire.
    public init(
        timing: Timing = Timing(), now: @escaping @Sendable () -> Timestamp = { .now },
        logger: Logger = Logger(label: "keys"), read: @escaping Read
    ) {
        self.read = read
        self.timing = timing
        self.now = now
        self.logger = logger
    }

    /// Finds the key of a secret.
    /// - Parameter text: the bearer token.
    /// - Throws: `invalid_token` (401) for an unknown, revoked or expired key; `unavailable` (503) while keys cannot be read.
    public func key(_ text: String) async throws(ChatError) -> ServerKey {
        guard let hash = ServerKeySecret(text: text)?.hash else { throw .badKey }
        let start = ContinuousClock.now
        if let key = current(at: start)?[hash] { return try valid(key) }
        await readOnce(notBefore: start)
        guard let keys = current(at: .now) else { throw .unreadable }
        guard let key = keys[hash] else { throw .badKey }
        return try valid(key)
    }

    /// Checks that a key that was found before is still in force. To be called during long waits.
    /// - Throws: `invalid_token` (401) if it was revoked or has expired; `unavailable` (503) while keys cannot be read.
    public func requireInForce(_ key: ServerKey) async throws(ChatError) {
        let start = ContinuousClock.now
        if current(at: start) == nil { await readOnce(notBefore: start) }
        guard let keys = current(at: .now) else { throw .unreadable }
        // Compared as a whole: a key of the same name that was made later is another one.
        guard keys.values.contains(key) else { throw .badKey }
        _ = try valid(key)
    }

    /// Notes that keys were changed by this server: they are read before the next call.
    public func invalidate() { state.withLock { $0.changedAt = .now } }

    /// Reads periodically until graceful shutdown.
    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: self.timing.interval * Double.random(in: 0.75...1))
                // If no key is used, nobody needs the list, and the table may not exist yet.
                if self.state.withLock({ $0.triedAt != nil }) { await self.readOnce(notBefore: .now) }
            }
        }
    }

    private func valid(_ key: ServerKey) throws(ChatError) -> ServerKey {
        guard !key.isExpired(at: now()) else { throw ChatError(.invalidToken, "The key has expired") }
        return key
    }

    /// The keys by the hashes of their secrets; `nil` if they were read too long ago.
    private func current(at instant: ContinuousClock.Instant) -> [[UInt8]: ServerKey]? {
        state.withLock { state in
            guard let readAt = state.readAt, instant - readAt < timing.maximumAge,
                state.changedAt.map({ $0 <= readAt }) ?? true
            else { return nil }
            return state.keys
        }
    }

    // MARK: Reading

    /// Waits for a read that begins at this instant or later: one that began before may lack what was committed meanwhile.
    private func readOnce(notBefore instant: ContinuousClock.Instant) async {
        while true {
            let reading = state.withLock { state in
                if let reading = state.reading { return reading }
                let next = state.triedAt.map { $0 + timing.unknownKeyInterval }
                // An unstructured task, so that a cancelled caller does not end the read of others. The database's own
                // timeout bounds it.
                let reading = Task { await self.readAll(notBefore: next) }
                state.reading = reading
                return reading
            }
            if await reading.value >= instant { return }
        }
    }

    /// - Returns: the begin of the read.
    private func readAll(notBefore instant: ContinuousClock.Instant?) async -> ContinuousClock.Instant {
        if let instant { try? await Task.sleep(until: instant, clock: .continuous) }
        let start = ContinuousClock.now
        state.withLock { $0.triedAt = start }
        do {
            let entries = try await read()
            let keys = Dictionary(entries.map { ($0.hash, $0.key) }, uniquingKeysWith: { first, _ in first })
            state.withLock { state in
                state.reading = nil
                state.keys = keys
                state.readAt = start
            }
        } catch {
            logger.debug("the keys of servers could not be read", metadata: ["reason": "\(type(of: error))"])
            state.withLock { $0.reading = nil }
        }
        return start
    }
}

extension ChatError {
    /// The error of an unknown key. Whether it was revoked would only help attackers.
    fileprivate static let badKey = ChatError(.invalidToken, "The key is not valid")
    fileprivate static let unreadable = ChatError.unavailable("The keys of servers cannot be read right now")
}
