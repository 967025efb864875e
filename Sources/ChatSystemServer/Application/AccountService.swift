import ChatStorage
import CommonAuth
import CommonUtil

/// The use cases of accounts: registering, logging in, refreshing, and the user's own profile.
struct AccountService: Sendable {
    private static let guestName = "Guest"

    let users: UserRepository
    let loginAddresses: LoginAddressRepository
    let refreshTokens: RefreshTokenRepository
    let passwords: PasswordHasher
    let signer: TokenSigner
    let refreshTokenSeconds: Int
    let signIns: SignInService
    let guests: GuestRepository
    /// Whether sign-ins by an issuer's token can still be refreshed.
    let isIssuerAccepted: @Sendable (_ issuer: String) -> Bool

    /// Registers a user.
    /// - Parameter address: the caller's, as limits count it.
    /// - Throws: `username_taken`.
    func register(
        username: String, password: String, displayName: String?, from address: String
    ) async throws -> User {
        let hash = try await passwords.hash(password, from: address)
        let user = try await users.insert(username: username, displayName: displayName ?? username, passwordHash: hash)
        guard let user else { throw ChatError(.usernameTaken) }
        return user
    }

    /// Whether this account signed in from this address recently.
    func isKnown(_ address: String, to username: String) async throws -> Bool {
        try await loginAddresses.contains(Self.pseudonym(of: address, username), of: username)
    }

    // With the name, so that pseudonyms do not reveal which accounts share an address.
    private static func pseudonym(of address: String, _ username: String) -> String {
        Pseudonym.of("\(address) \(username)")
    }

    /// Logs a user in.
    /// - Parameters:
    ///   - address: the caller's, as limits count it.
    ///   - userAgent: the program that signs in, as it calls itself.
    /// - Throws: `invalid_credentials`, after the same time for an unknown user and for a wrong password; `user_disabled`.
    func login(
        username: String, password: String, from address: String, userAgent: String?
    ) async throws -> TokenPair {
        let highestCost = try await users.highestPasswordCost()
        guard let credentials = try await users.credentials(username: username) else {
            try await passwords.verifyAgainstNothing(password, highestCost: highestCost, from: address)
            throw ChatError(.invalidCredentials)
        }
        let isRight = try await passwords.verify(
            password, against: credentials.passwordHash, highestCost: highestCost, from: address)
        guard isRight else { throw ChatError(.invalidCredentials) }
        // Only to who knows the password.
        guard !credentials.isDisabled else { throw ChatError(.userDisabled) }
        let passwordHash = try await rehashed(credentials, password, from: address)
        try await loginAddresses.note(Self.pseudonym(of: address, username), of: credentials.userID)
        let (refreshToken, issuedAt) = (RefreshToken(), Timestamp.now)
        let signInID = try await refreshTokens.begin(
            grant(of: refreshToken, issuedAt: issuedAt), of: credentials.userID, passwordHash: passwordHash,
            userAgent: userAgent)
        // The password was changed since it was verified.
        guard let signInID else { throw ChatError(.invalidCredentials) }
        return try await pair(credentials.userID, signInID, refreshToken, issuedAt: issuedAt)
    }

    /// Signs a new guest in.
    func signInGuest(displayName: String?, userAgent: String?) async throws -> TokenPair {
        let userID = try await guests.insert(displayName: displayName ?? Self.guestName)
        return try await signIn(userID, issuer: nil, isRefreshable: true, userAgent: userAgent)
    }

    /// Signs in a user without a password.
    /// - Parameters:
    ///   - issuer: the issuer whose token names the user; `nil` for a guest.
    ///   - isRefreshable: whether there is a refresh token.
    /// - Throws: `user_disabled`.
    func signIn(
        _ userID: UserID, issuer: String?, isRefreshable: Bool, userAgent: String?
    ) async throws -> TokenPair {
        let (refreshToken, issuedAt) = (RefreshToken(), Timestamp.now)
        let grant = grant(of: refreshToken, issuedAt: issuedAt)
        let signInID =
            isRefreshable
            ? try await refreshTokens.begin(
                grant, of: userID, passwordHash: nil, userAgent: userAgent, issuer: issuer)
            : try await refreshTokens.beginWithoutRefresh(
                of: userID, hash: grant.hash, accessExpiresAt: grant.accessExpiresAt, userAgent: userAgent,
                issuer: issuer)
        guard let signInID else { throw ChatError(.userDisabled) }
        return try await pair(userID, signInID, isRefreshable ? refreshToken : nil, issuedAt: issuedAt)
    }

    /// Replaces a hash of another cost by one of the configured cost.
    /// - Returns: the stored hash.
    /// - Throws: `invalid_credentials` if the password was changed since it was verified.
    private func rehashed(
        _ credentials: Credentials, _ password: String, from address: String
    ) async throws -> String {
        guard passwords.needsRehash(credentials.passwordHash) else { return credentials.passwordHash }
        let hash = try await passwords.hash(password, from: address)
        guard try await users.replacePasswordHash(credentials.passwordHash, by: hash, of: credentials.userID) else {
            throw ChatError(.invalidCredentials)
        }
        return hash
    }

    /// Exchanges a refresh token for the next pair of tokens. Using a token again, later than a repetition may be, ends
    /// its sign-in.
    /// - Throws: `invalid_refresh_token`.
    func refresh(_ text: String) async throws -> TokenPair {
        guard let token = RefreshToken(text: text) else { throw ChatError(.invalidRefreshToken) }
        let (salt, issuedAt) = (RefreshToken.makeSalt(), Timestamp.now)
        let rotation = try await refreshTokens.rotate(
            hash: token.hash, salt: salt, successor: grant(of: token.successor(salt: salt), issuedAt: issuedAt),
            isAccepted: isIssuerAccepted)
        switch rotation {
        case .rotated(let userID, let signInID, let salt):
            return try await pair(userID, signInID, token.successor(salt: salt), issuedAt: issuedAt)
        case .reused(let userID, let revocations):
            signIns.announce(SignInRepository.Ended(userID: userID, revocations: revocations), .reuse)
            throw ChatError(.invalidRefreshToken)
        case .unknown:
            throw ChatError(.invalidRefreshToken)
        }
    }

    /// Ends the sign-in of a refresh token; an unknown token is no error.
    func logout(_ text: String) async throws {
        guard let token = RefreshToken(text: text) else { return }
        try await signIns.logOut(token)
    }

    /// Changes a user's password.
    /// - Parameters:
    ///   - address: the caller's, as limits count it.
    ///   - admit: checks limits for the user's name, before the current password is verified.
    /// - Throws: `user_not_found` in `trusted` mode, where callers need not be registered; `invalid_credentials`.
    func changePassword(
        of user: AuthenticatedUser, from current: String, to next: String, address: String,
        admit: (_ username: String) async throws -> Void
    ) async throws {
        let credentials = try await verified(user, current, address: address, admit: admit)
        try await signIns.changePassword(
            of: user, from: credentials.passwordHash, to: try await passwords.hash(next, from: address))
    }

    /// Verifies the password of a user who is signed in.
    /// - Parameter admit: checks limits for the user's name, before the password is verified.
    /// - Throws: `user_not_found` in `trusted` mode, where callers need not be registered; `invalid_credentials`, also for
    ///   a user without a password.
    func verified(
        _ user: AuthenticatedUser, _ password: String, address: String,
        admit: (_ username: String) async throws -> Void
    ) async throws -> Credentials {
        guard let credentials = try await users.credentials(of: user.userID) else {
            let isRegistered = try await users.user(user.userID) != nil
            throw isRegistered
                ? ChatError(.invalidCredentials, "The user has no password") : ChatError(.userNotFound)
        }
        try await admit(credentials.username)
        guard try await passwords.verify(password, against: credentials.passwordHash, from: address) else {
            throw ChatError(.invalidCredentials, "The password is wrong")
        }
        return credentials
    }

    /// A user, as others see it.
    /// - Throws: `user_not_found`.
    func profile(of userID: UserID) async throws -> User {
        guard let user = try await users.user(userID) else { throw ChatError(.userNotFound) }
        return user
    }

    /// The caller's own profile.
    /// - Throws: `user_not_found`.
    func ownProfile(of userID: UserID) async throws -> UserProfile {
        guard let profile = try await users.profile(of: userID) else { throw ChatError(.userNotFound) }
        return profile
    }

    /// Changes the fields that are not `nil`.
    /// - Throws: `user_not_found`.
    func change(_ userID: UserID, displayName: String?, whoMayAdd: WhoMayAdd?) async throws -> UserProfile {
        let profile = try await users.change(userID, displayName: displayName, whoMayAdd: whoMayAdd)
        guard let profile else { throw ChatError(.userNotFound) }
        return profile
    }

    // The access token's expiry is stored before the token is signed, so that ending the sign-in meanwhile revokes it.
    private func grant(of token: RefreshToken, issuedAt: Timestamp) -> RefreshTokenRepository.Grant {
        RefreshTokenRepository.Grant(
            hash: token.hash, lifetimeSeconds: refreshTokenSeconds, accessExpiresAt: signer.expiry(issuedAt: issuedAt))
    }

    private func pair(
        _ userID: UserID, _ signInID: SignInID, _ refreshToken: RefreshToken?, issuedAt: Timestamp
    ) async throws -> TokenPair {
        let (accessToken, expiresIn) = try await signer.sign(userID: userID, signInID: signInID, issuedAt: issuedAt)
        return TokenPair(
            accessToken: accessToken, refreshToken: refreshToken?.text, expiresIn: expiresIn, userID: userID)
    }
}

/// The response to a login: `{accessToken, refreshToken?, tokenType, expiresIn, userId}`, `expiresIn` in seconds.
struct TokenPair: JSONEncodable {
    let accessToken: String
    let refreshToken: String?
    let expiresIn: Int
    let userID: UserID

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("accessToken", accessToken)
            writer.member("refreshToken", ifPresent: refreshToken)
            writer.member("tokenType", "Bearer")
            writer.member("expiresIn", Int64(expiresIn))
            writer.member("userId", userID.rawValue)
        }
    }
}
