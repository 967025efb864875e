import ChatFileStore
import ChatStorage
import CommonUtil
import Logging
import Synchronization

/// The store of this installation, once it is known to be that: a store has a marker that names the installation it belongs
/// to. In the store of another installation nothing is written, read or removed.
final class FileStorage: Sendable {
    /// Whose the store is.
    enum State: Equatable {
        /// Not asked yet.
        case unasked
        /// Not known, for a reason.
        case unknown(String)
        case own
        /// Another installation's, or one that was there and is not any more.
        case foreign(String)
    }

    private let deadline: Duration
    private let store: any FileStore
    private let installation: @Sendable () async throws -> (id: String, hasFiles: Bool)
    private let logger: Logger
    private let current = Mutex(State.unasked)
    private let isAway = Mutex(false)

    /// - Parameters:
    ///   - deadline: for the questions whose the store is.
    ///   - installation: reads the id of the installation, and whether it has files.
    init(
        _ store: any FileStore, deadline: Duration = .seconds(10), logger: Logger,
        installation: @escaping @Sendable () async throws -> (id: String, hasFiles: Bool)
    ) {
        self.store = store
        self.deadline = deadline
        self.logger = logger
        self.installation = installation
    }

    /// Whose the store was when it was last asked.
    var state: State { current.withLock { $0 } }

    /// Whether the store answered when it was last asked.
    var responds: Bool { !isAway.withLock { $0 } }

    /// The store.
    /// - Throws: `store_foreign`, `unavailable` (503).
    func require() throws(ChatError) -> any FileStore {
        switch state {
        case .own: return store
        case .foreign: throw ChatError(.storeForeign, retryAfterSeconds: 30)
        case .unasked, .unknown: throw .unavailable("The store of files is not available right now")
        }
    }

    /// Reads the marker, and makes it where neither the store nor the installation has anything yet.
    @discardableResult
    func check() async -> State {
        let found: State
        do {
            found = try await ownershipInTime()
            isAway.withLock { $0 = false }
        } catch {
            if error is FileStoreError { isAway.withLock { $0 = true } }
            // A store that is away is still the one that it was; its calls fail by themselves.
            let reason = SecretFreeReason.of(error)
            logger.debug("the store of files does not respond", metadata: ["reason": "\(reason)"])
            return current.withLock { current in
                switch current {
                case .unasked, .unknown: current = .unknown(reason)
                case .own, .foreign: break
                }
                return current
            }
        }
        let former = current.withLock { current in
            defer { current = found }
            return current
        }
        if former != found, case .foreign(let reason) = found {
            logger.error("the store of files is not this installation's", metadata: ["reason": "\(reason)"])
        }
        return found
    }

    /// A store that never answers holds up neither the start of the server nor the work of the cleaner.
    private func ownershipInTime() async throws -> State {
        let answer = await TimeLimit.within(deadline) { () -> Result<State, any Error> in
            do { return .success(try await self.ownership()) } catch { return .failure(error) }
        }
        guard let answer else { throw FileStoreError.away("not answered in time") }
        return try answer.get()
    }

    private func ownership() async throws -> State {
        let (id, hasFiles) = try await installation()
        if let marker = try await store.installation() { return Self.state(marker: marker, of: id) }
        guard !hasFiles else { return .foreign("it has no marker, although there are files") }
        guard try await store.list(after: nil).isEmpty else { return .foreign("it has files, and no marker") }
        try await store.claim(id)
        guard let marker = try await store.installation() else { return .foreign("it does not keep its marker") }
        return Self.state(marker: marker, of: id)
    }

    private static func state(marker: String, of id: String) -> State {
        marker == id ? .own : .foreign("its marker names another installation")
    }
}

/// The text of an error for logs and health checks.
enum SecretFreeReason {
    static func of(_ error: any Error) -> String {
        switch error {
        case FileStoreError.away(let reason): reason
        case FileStoreError.full: "it has no space left"
        case let error as ChatError: error.detail
        default: "\(type(of: error))"
        }
    }
}
