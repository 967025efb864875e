import ChatStorage
import CommonUtil
import Synchronization

/// The signed URLs of files, with the secrets that all servers share.
final class FileURLs: Sendable {
    /// The shortest time between two readings for the sake of unknown signatures.
    private static let interval = Duration.seconds(1)

    private struct State {
        var signer = FileURLSigner(secrets: [])
        var readAt: ContinuousClock.Instant?

        /// - Returns: whether the secrets may be read for the sake of an unknown signature.
        mutating func mayRead(at now: ContinuousClock.Instant) -> Bool {
            if let readAt, now - readAt < FileURLs.interval { return false }
            readAt = now
            return true
        }
    }

    private let read: @Sendable () async throws -> [FileSecret]
    private let state = Mutex(State())

    /// - Parameter read: reads the secrets, the newest first.
    init(read: @escaping @Sendable () async throws -> [FileSecret]) { self.read = read }

    /// Reads the secrets.
    func refresh() async throws {
        let signer = FileURLSigner(secrets: try await read())
        state.withLock { $0 = State(signer: signer, readAt: .now) }
    }

    /// The path of a file with its signature.
    func url(of fileID: FileID) -> String { state.withLock(\.signer).url(of: fileID, at: .now) }

    /// Checks a signature. One that is not known may be by a secret that another server has just made.
    func check(_ fileID: FileID, expires: String?, signature: String?) async -> FileURLSigner.Verdict {
        let verdict = state.withLock(\.signer).check(fileID, expires: expires, signature: signature, at: .now)
        guard verdict == .bad, state.withLock({ $0.mayRead(at: .now) }) else { return verdict }
        try? await refresh()
        return state.withLock(\.signer).check(fileID, expires: expires, signature: signature, at: .now)
    }
}
