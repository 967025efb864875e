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
        /// The last reading for the sake of unknown signatures. Requests that come while it is under way wait for it, too.
        var reading: Task<Void, Never>?
    }

    private let read: @Sendable () async throws -> [FileSecret]
    private let state = Mutex(State())

    /// - Parameter read: reads the secrets, the newest first.
    init(read: @escaping @Sendable () async throws -> [FileSecret]) { self.read = read }

    /// Whether secrets are known. Without them URLs have no signature.
    var isReady: Bool { state.withLock { !$0.signer.secrets.isEmpty } }

    /// Reads the secrets.
    func refresh() async throws {
        let signer = FileURLSigner(secrets: try await read())
        state.withLock { state in
            state.signer = signer
            state.readAt = .now
        }
    }

    /// The path of a file with its signature.
    func url(of fileID: FileID) -> String { state.withLock(\.signer).url(of: fileID, at: .now) }

    /// Checks a signature. One that is not known may be by a secret that another server has just made.
    func check(_ fileID: FileID, expires: String?, signature: String?) async -> FileURLSigner.Verdict {
        let verdict = state.withLock(\.signer).check(fileID, expires: expires, signature: signature, at: .now)
        guard verdict == .bad else { return verdict }
        await reading()?.value
        return state.withLock(\.signer).check(fileID, expires: expires, signature: signature, at: .now)
    }

    /// A new reading of the secrets. Soon after another one it is that; `nil` if that was a regular refresh, the first one.
    private func reading() -> Task<Void, Never>? {
        state.withLock { state in
            if let readAt = state.readAt, .now - readAt < Self.interval { return state.reading }
            let reading = Task { _ = try? await self.refresh() }
            state.readAt = .now
            state.reading = reading
            return reading
        }
    }
}
