import CommonUtil
import PostgresClient

/// Finds the users that callers with a server's key name, by id or by external id.
public struct UserResolver: Sendable {
    /// What matters of a user before anything is done in the user's name.
    private struct UserStatus {
        let userID: UserID
        let isDisabled: Bool
        let isGuest: Bool
    }

    private let database: ChatDatabase
    private let authMode: AuthMode

    /// - Parameter authMode: in `trusted` mode any id is a user's, registered or not.
    public init(_ database: ChatDatabase, authMode: AuthMode) {
        self.database = database
        self.authMode = authMode
    }

    /// Finds the user that a key acts for.
    /// - Throws: `user_not_found` (404) also for an erased user; `user_disabled` (403); `guest` (403), since a guest acts
    ///   only from the browser that it is in.
    public func actingUser(_ reference: UserReference) async throws -> UserID {
        guard let user = try await standing(of: reference) else {
            if case .id(let userID) = reference, authMode == .trusted { return userID }
            throw ChatError(.userNotFound)
        }
        guard !user.isDisabled else { throw ChatError(.userDisabled) }
        guard !user.isGuest else { throw ChatError(.guest, "A key does not act for a guest") }
        return user.userID
    }

    /// Finds the users that a request names; ids are not looked up.
    /// - Parameter field: the field that names them.
    /// - Throws: `validation_failed` (422) for an external id that no user has.
    public func userIDs(_ references: [UserReference], field: String) async throws -> [UserID] {
        let externalIDs = references.compactMap { if case .external(let id) = $0 { id } else { nil } }
        guard !externalIDs.isEmpty else { return references.compactMap(\.userID) }
        let rows = try await database.query(Self.selectByExternalIDs, .textArray(externalIDs.map(\.rawValue)))
        let known = Dictionary(
            try rows.map { (ExternalID(verified: try $0.decode(column: 1)), try $0.userID(column: 0)) },
            uniquingKeysWith: { first, _ in first })
        return try references.map { reference in
            switch reference {
            case .id(let userID): return userID
            case .external(let id):
                guard let userID = known[id] else { throw ChatError.invalid(field, "there is no user ext:\(id)") }
                return userID
            }
        }
    }

    /// Finds the user that the path of a request names; an id is not looked up.
    /// - Throws: `user_not_found` (404) for an external id that no user has.
    public func userID(_ reference: UserReference) async throws -> UserID {
        if let userID = reference.userID { return userID }
        return try await registered(reference)
    }

    /// Finds a registered user, disabled ones among them.
    /// - Throws: `user_not_found` (404), also for an erased user.
    public func registered(_ reference: UserReference) async throws -> UserID {
        guard let user = try await standing(of: reference) else { throw ChatError(.userNotFound) }
        return user.userID
    }

    /// Finds a user that a key names, disabled ones among them.
    /// - Returns: `nil` if there is none; an erased user is none.
    public func user(_ reference: UserReference) async throws -> UserID? {
        if let user = try await standing(of: reference) { return user.userID }
        if case .id(let userID) = reference, authMode == .trusted { return userID }
        return nil
    }

    private func standing(of reference: UserReference) async throws -> UserStatus? {
        let rows =
            switch reference {
            case .id(let userID): try await database.query(Self.selectByID, .int8(userID.rawValue))
            case .external(let id): try await database.query(Self.selectByExternalID, .text(id.rawValue))
            }
        return try rows.first.map { row in
            UserStatus(
                userID: try row.userID(column: 0), isDisabled: try row.decode(column: 1),
                isGuest: try row.decode(column: 2))
        }
    }

    private static let columns = "user_id, is_disabled, guest_until IS NOT NULL"
    private static let selectByID = PostgresStatement(
        "SELECT \(columns) FROM users WHERE user_id = $1 AND erased_at IS NULL")
    private static let selectByExternalIDs = PostgresStatement(
        "SELECT user_id, external_id FROM users WHERE external_id = ANY ($1)")
    private static let selectByExternalID = PostgresStatement(
        "SELECT \(columns) FROM users WHERE external_id = $1 AND erased_at IS NULL")
}
