import CommonUtil
import PostgresClient

/// Finds the users that callers with a server's key name, by id or by external id.
public struct UserDirectory: Sendable {
    /// What matters of a user before anything is done in the user's name.
    private struct Standing {
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

    /// Finds a user that a key names, disabled ones among them.
    /// - Returns: `nil` where there is none; an erased user is none.
    public func user(_ reference: UserReference) async throws -> UserID? {
        if let user = try await standing(of: reference) { return user.userID }
        if case .id(let userID) = reference, authMode == .trusted { return userID }
        return nil
    }

    private func standing(of reference: UserReference) async throws -> Standing? {
        let rows =
            switch reference {
            case .id(let userID): try await database.query(Self.selectByID, .int8(userID.rawValue))
            case .external(let id): try await database.query(Self.selectByExternalID, .text(id.rawValue))
            }
        return try rows.first.map { row in
            Standing(
                userID: try row.userID(column: 0), isDisabled: try row.decode(column: 1),
                isGuest: try row.decode(column: 2))
        }
    }

    private static let columns = "user_id, is_disabled, guest_until IS NOT NULL"
    private static let selectByID = PostgresStatement(
        "SELECT \(columns) FROM users WHERE user_id = $1 AND erased_at IS NULL")
    private static let selectByExternalID = PostgresStatement(
        "SELECT \(columns) FROM users WHERE external_id = $1 AND erased_at IS NULL")
}
