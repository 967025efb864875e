import ChatStorage
import CommonAuth
import CommonUtil

/// Registering, logging in and one's own profile.
struct AccountService: Sendable {
    let users: UserRepository
    let refreshTokens: RefreshTokenRepository
    let passwords: PasswordHasher
    let signer: TokenSigner
    let refreshTokenSeconds: Int

    /// - Throws: `username_taken`.
    func register(username: String, password: String, displayName: String?) async throws -> User {
        let hash = try await passwords.hash(password)
        let user = try await users.insert(username: username, displayName: displayName ?? username, passwordHash: hash)
        guard let user else { throw ChatError(.usernameTaken) }
        return user
    }

    /// - Throws: `invalid_credentials`, after the same time whether the user is unknown or the password wrong.
    func login(username: String, password: String) async throws -> TokenPair {
        guard let credentials = try await users.credentials(username: username) else {
            _ = try await passwords.verifyAgainstNothing(password)
            throw ChatError(.invalidCredentials)
        }
        guard try await passwords.verify(password, against: credentials.passwordHash) else {
            throw ChatError(.invalidCredentials)
        }
        if passwords.needsRehash(credentials.passwordHash) {
            try await users.setPasswordHash(try await passwords.hash(password), of: credentials.userID)
        }
        let refreshToken = RefreshToken()
        try await refreshTokens.insert(
            hash: refreshToken.hash, userID: credentials.userID, lifetimeSeconds: refreshTokenSeconds)
        return try await pair(credentials.userID, refreshToken)
    }

    /// - Throws: `invalid_refresh_token`; if it was used before, its whole family has ended with this.
    func refresh(_ text: String) async throws -> TokenPair {
        guard let token = RefreshToken(text: text) else { throw ChatError(.invalidRefreshToken) }
        let successor = RefreshToken()
        let rotation = try await refreshTokens.rotate(
            hash: token.hash, successorHash: successor.hash, lifetimeSeconds: refreshTokenSeconds)
        guard case .rotated(let userID) = rotation else { throw ChatError(.invalidRefreshToken) }
        return try await pair(userID, successor)
    }

    func logout(_ text: String) async throws {
        guard let token = RefreshToken(text: text) else { return }
        try await refreshTokens.endFamily(ofHash: token.hash)
    }

    func profile(of userID: UserID) async throws -> User {
        guard let user = try await users.user(userID) else { throw ChatError(.userNotFound) }
        return user
    }

    func rename(_ userID: UserID, to displayName: String) async throws -> User {
        guard let user = try await users.setDisplayName(displayName, of: userID) else { throw ChatError(.userNotFound) }
        return user
    }

    private func pair(_ userID: UserID, _ refreshToken: RefreshToken) async throws -> TokenPair {
        let (accessToken, expiresIn) = try await signer.sign(userID: userID)
        return TokenPair(
            accessToken: accessToken, refreshToken: refreshToken.text, expiresIn: expiresIn, userID: userID)
    }
}

/// The answer to a login: `{accessToken, refreshToken, tokenType, expiresIn, userId}`, `expiresIn` in seconds.
struct TokenPair: JSONEncodable {
    let accessToken: String
    let refreshToken: String
    let expiresIn: Int
    let userID: UserID

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("accessToken", accessToken)
            writer.member("refreshToken", refreshToken)
            writer.member("tokenType", "Bearer")
            writer.member("expiresIn", Int64(expiresIn))
            writer.member("userId", userID.rawValue)
        }
    }
}
