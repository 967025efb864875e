import CommonUtil
import PostgresClient

/// Users who sign in with a token of an issuer.
public struct IssuedUserRepository: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Whether a token has no name, or the one of the last exchange, to the byte: another form of the same text is a change.
    private static func isKnown(_ name: String?, as known: String?) -> Bool {
        guard let name else { return true }
        return known?.hasSameBytes(as: name) == true
    }

    /// Finds the user with an external id, or makes it at first sight. A name is taken over where the token's is another
    /// than at the last exchange.
    /// - Parameters:
    ///   - name: the name in the token, as it is; `nil` if it has none.
    ///   - displayName: what is shown for this name; also the name of a new user.
    /// - Returns: the user, and whether it is disabled.
    public func user(
        _ externalID: ExternalID, name: String?, displayName: String
    ) async throws -> (userID: UserID, isDisabled: Bool) {
        if let found = try await find(externalID), Self.isKnown(name, as: found.name) {
            return (found.userID, found.isDisabled)
        }
        return try await database.withTransaction { transaction in
            _ = try await transaction.query(
                Self.insert, .text(externalID.rawValue), .text(displayName), .text(name))
            guard let row = try await transaction.query(Self.lock, .text(externalID.rawValue)).first else {
                throw ChatError.unavailable("The user is being erased")
            }
            let (userID, isDisabled) = (try row.userID(column: 0), try row.decode(column: 1, as: Bool.self))
            let isIndexed = try row.decode(column: 3, as: Bool.self)
            let knownName = try row.decode(column: 2, as: String?.self)
            let isNew = !Self.isKnown(name, as: knownName)
            if isNew {
                _ = try await transaction.query(
                    Self.update, .int8(userID.rawValue), .text(displayName), .text(name))
            }
            if isNew || !isIndexed {
                let username = try row.decode(column: 4, as: String?.self)
                let shown = isNew ? displayName : try row.decode(column: 5, as: String.self)
                _ = try await transaction.batch(
                    NameSuffixes.replaceForUser(userID, username: username, displayName: shown))
            }
            return (userID, isDisabled)
        }
    }

    private func find(
        _ externalID: ExternalID
    ) async throws -> (userID: UserID, isDisabled: Bool, name: String?)? {
        try await database.query(Self.select, .text(externalID.rawValue)).first.map { row in
            (try row.userID(column: 0), try row.decode(column: 1), try row.decode(column: 2))
        }
    }

    private static let columns = "user_id, is_disabled, issued_name"
    private static let select = PostgresStatement("SELECT \(columns) FROM users WHERE external_id = $1")
    private static let lock = PostgresStatement(
        """
        SELECT \(columns), indexed_name IS NOT DISTINCT FROM display_name, username, display_name
        FROM users WHERE external_id = $1 FOR NO KEY UPDATE
        """)
    private static let insert = PostgresStatement(
        """
        INSERT INTO users (external_id, display_name, issued_name) VALUES ($1, $2, $3)
        ON CONFLICT (external_id) DO NOTHING
        """)
    private static let update = PostgresStatement(
        "UPDATE users SET display_name = $2, issued_name = $3 WHERE user_id = $1")
}
