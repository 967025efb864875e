import ChatStorage
import CommonAuth
import CommonUtil

/// The use cases of a backend that has users of its own: making and changing them, signing them in and out, erasing them.
struct ManagedUserService: Sendable {
    /// The name of the list of all users in its cursors.
    static let list = "managed users"
    /// The lifetime of a token that a backend asks for, in seconds.
    static let tokenLifetime: ClosedRange<Int64> = 1...86_400

    /// Rooms that are read at a time while a user leaves them.
    private static let roomsAtATime = 100

    let users: ManagedUserRepository
    let directory: UserResolver
    let refreshTokens: RefreshTokenRepository
    let signer: TokenSigner
    let signIns: SignInService
    let members: MemberService

    /// Makes the user with an external id, or changes it. Disabling ends all sign-ins.
    /// - Returns: the user, and whether it was made now.
    /// - Throws: `username_taken`.
    func put(
        _ externalID: ExternalID, _ change: ManagedUserRepository.Change
    ) async throws -> (user: ManagedUser, isNew: Bool) {
        switch try await users.put(externalID, change, defaultName: AccountRules.displayName(of: externalID)) {
        case .usernameTaken: throw ChatError(.usernameTaken)
        case .done(let user, let isNew, let ended):
            if let ended { signIns.announce(ended, .disabled) }
            return (user, isNew)
        }
    }

    /// A page of all users by id.
    func all(cursor: Cursor?, limit: Int) async throws -> Page<ManagedUser> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let userID = UserID(text: cursor.parts[0]) else { throw ChatError.notFromThisList }
            return userID
        }
        return Page(
            fetched: try await users.users(after: last, limit: limit + 1), limit: limit,
            cursor: { Cursor(of: Self.list, [$0.user.userID.description]) })
    }

    /// Erases a user: disabled, signed out, out of all rooms but `direct` ones, and then its names and marks are gone. Each
    /// step can be repeated, so an interrupted call is finished by the next one.
    /// - Parameter actorID: who erases; the user itself, or the installation.
    /// - Throws: `user_not_found` for an id that nobody has.
    func erase(_ userID: UserID, by actorID: UserID) async throws {
        guard let ended = try await users.disable(userID) else { throw ChatError(.userNotFound) }
        signIns.announce(ended, .erased)
        try await leaveRooms(userID, by: actorID)
        try await users.erase(userID)
        // Somebody may have added the user meanwhile. Now nobody can any more.
        try await leaveRooms(userID, by: actorID)
    }

    private func leaveRooms(_ userID: UserID, by actorID: UserID) async throws {
        while true {
            let rooms = try await users.roomsToLeave(userID, limit: Self.roomsAtATime)
            for roomID in rooms { try await members.depart(from: roomID, userID, by: actorID) }
            if rooms.count < Self.roomsAtATime { break }
        }
    }

    /// Erases the user that a backend names.
    /// - Throws: `user_not_found` for an id that nobody has. An external id that nobody has is no error: it may have been
    ///   erased before.
    func erase(_ reference: UserReference) async throws {
        switch reference {
        case .id(let userID): try await erase(userID, by: .installation)
        case .external:
            guard let userID = try await directory.user(reference) else { return }
            try await erase(userID, by: .installation)
        }
    }

    /// Signs a user in for a backend: an access token, without a refresh token.
    /// - Parameter lifetimeSeconds: the configured one by default.
    /// - Throws: `user_not_found`, `user_disabled`.
    func issueToken(for reference: UserReference, lifetimeSeconds: Int?) async throws -> IssuedToken {
        let userID = try await directory.registered(reference)
        let issuedAt = Timestamp.now
        // Stored before the token is signed, so that ending the sign-in meanwhile revokes it.
        let signInID = try await refreshTokens.beginWithoutRefresh(
            of: userID, hash: RefreshToken().hash,
            accessExpiresAt: signer.expiry(issuedAt: issuedAt, lifetimeSeconds: lifetimeSeconds))
        guard let signInID else { throw ChatError(.userDisabled) }
        let (token, expiresIn) = try await signer.sign(
            userID: userID, signInID: signInID, issuedAt: issuedAt, lifetimeSeconds: lifetimeSeconds)
        return IssuedToken(accessToken: token, expiresIn: expiresIn)
    }

    /// Ends all sign-ins of a user.
    /// - Throws: `user_not_found`.
    func signOut(_ reference: UserReference) async throws {
        try await signIns.signOut(try await directory.registered(reference))
    }
}

/// The response to `POST /admin/users/{id}/tokens`: `{accessToken, expiresIn}`, `expiresIn` in seconds.
struct IssuedToken: JSONEncodable {
    let accessToken: String
    let expiresIn: Int

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("accessToken", accessToken)
            writer.member("expiresIn", Int64(expiresIn))
        }
    }
}
