import ChatClient
import Foundation

/// A ready token that ends soon and cannot be renewed.
struct TokenNotRenewable: Error {}

/// Gives access tokens to the library.
actor TokenSource {
    private let settings: ClientSettings
    private let file: SignInFile
    private let calls: SignInCalls
    /// The token that was given last: one that is asked for again is not good enough any more.
    private var given: String?

    init(_ settings: ClientSettings) {
        self.settings = settings
        file = SignInFile(folder: settings.folder, url: settings.url)
        calls = SignInCalls(settings)
    }

    /// - Throws: `SignedOut` if nobody is signed in; any other error is temporary.
    func token(_ reason: TokenReason) async throws -> String {
        switch settings.identity {
        case .trusted: throw SignedOut()
        case .token(let token):
            switch reason {
            case .first where given == nil: break
            // Until it ends it is as good as ever.
            case .expiring: throw TokenNotRenewable()
            default: throw SignedOut()
            }
            given = token
            return token
        case .signIn:
            if let token = try keptToken() {
                given = token
                return token
            }
            let token = try await file.locked { try await self.renewedToken() }
            given = token
            return token
        }
    }

    /// The kept token, also one that another process has renewed; `nil` if that does not do.
    private func keptToken() throws -> String? {
        guard let kept = try file.load() else { throw SignedOut() }
        return kept.isFresh(now: Int64(Date.now.timeIntervalSince1970 * 1000)) && kept.accessToken != given
            ? kept.accessToken : nil
    }

    private func renewedToken() async throws -> String {
        // While this process waited for the lock another one may have renewed it.
        if let token = try keptToken() { return token }
        guard let kept = try file.load() else { throw SignedOut() }
        do {
            let renewed = try await calls.refresh(kept)
            try file.save(renewed)
            return renewed.accessToken
        } catch let error as ChatError where error.status == 401 {
            try file.delete()
            throw SignedOut()
        }
    }
}
