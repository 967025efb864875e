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
    ///   - deadline: timeout for reading whose store it is.
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
            let reason = RedactedReason.of(error)
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

    /// Reads the ownership, with a timeout: a store that never answers blocks neither the server's start nor the
    /// cleaner.
    private func ownershipInTime() async throws -> State {
        let answer = await TimeLimit.within(deadline) { () -> Result<State, any Error> in
            do { return .success(try await self.ownership()) } catch { return .failure(error) }
        }
        guard let answer else { throw FileStoreError.away("not answered in time") }
        return try answer.get()
    }

    private func ownership() async throws -> State {
        let (id, hasFiles) = try await installation()
        var ownership = try await store.ownership(by: id, hasFiles: hasFiles)
        if ownership == .unclaimed {
            try await store.claim(id)
            // Of several servers that do so at once one succeeds.
            let marker = try await store.installation()
            ownership =
                marker.map { FileStoreOwnership(marker: $0, of: id) } ?? .foreign("it does not keep its marker")
        }
        switch ownership {
        case .own: return .own
        case .foreign(let reason): return .foreign(reason)
        // It was claimed above.
        case .unclaimed: return .foreign("it does not keep its marker")
        }
    }
}

/// The text of an error for logs and health checks.
enum RedactedReason {
    static func of(_ error: any Error) -> String {
        switch error {
        case let error as FileStoreError: error.description
        case let error as ChatError: error.detail
        default: "\(type(of: error))"
        }
    }
}
