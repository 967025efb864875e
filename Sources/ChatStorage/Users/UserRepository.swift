import CommonUtil
import PostgresClient

/// The users of the platform.
public struct UserRepository: Sendable {
    private let database: ChatDatabase

    public init(_ database: ChatDatabase) { self.database = database }

    /// - Parameter username: folded to lower case by the caller.
    /// - Returns: `nil` where the name is taken.
    public func insert(username: String, displayName: String, passwordHash: String) async throws -> User? {
        try await database.query(Self.insert, .text(username), .text(displayName), .text(passwordHash)).first
            .map(Self.user)
    }

    public func user(_ userID: UserID) async throws -> User? {
        try await database.query(Self.select, .int8(userID.rawValue)).first.map(Self.user)
    }

    public func credentials(username: String) async throws -> Credentials? {
        try await database.query(Self.selectCredentials, .text(username)).first.map(Self.credentials)
    }

    public func credentials(of userID: UserID) async throws -> Credentials? {
        try await database.query(Self.selectCredentialsByID, .int8(userID.rawValue)).first.map(Self.credentials)
    }

    /// Puts another hash of the same password in place of the one that was checked against.
    /// - Returns: whether that was still the user's: a password that was changed meanwhile stays changed.
    public func replacePasswordHash(_ old: String, by new: String, of userID: UserID) async throws -> Bool {
        try await database.query(Self.updatePasswordHash, .int8(userID.rawValue), .text(new), .text(old))
            .affectedRows == 1
    }

    public func setDisplayName(_ displayName: String, of userID: UserID) async throws -> User? {
        try await database.query(Self.updateDisplayName, .int8(userID.rawValue), .text(displayName)).first
            .map(Self.user)
    }

    /// Users whose name begins with `prefix`, by name, from the one after `name` on.
    public func users(prefix: String, after name: String?, limit: Int) async throws -> [User] {
        try await database.query(
            Self.search, .text(prefix), .text(name ?? ""), .int8(limit)
        ).map(Self.user)
    }

    /// Which of these are registered.
    public func existing(_ userIDs: [UserID]) async throws -> Set<UserID> {
        let rows = try await database.query(Self.selectExisting, .int8Array(userIDs.map(\.rawValue)))
        return Set(try rows.map { UserID(try $0.decode(column: 0, as: Int64.self)) })
    }

    private static func user(_ row: PostgresRow) throws -> User {
        User(
            userID: try row.userID(column: 0), username: try row.decode(column: 1),
            displayName: try row.decode(column: 2), createdAt: try row.timestamp(column: 3))
    }

    private static func credentials(_ row: PostgresRow) throws -> Credentials {
        Credentials(
            userID: try row.userID(column: 0), username: try row.decode(column: 1),
            passwordHash: try row.decode(column: 2))
    }

    private static let columns = "user_id, username, display_name, created_at"
    private static let insert = PostgresStatement(
        """
        INSERT INTO users (username, display_name, password_hash) VALUES ($1, $2, $3)
        ON CONFLICT (username) DO NOTHING RETURNING \(columns)
        """)
    private static let select = PostgresStatement("SELECT \(columns) FROM users WHERE user_id = $1")
    private static let selectCredentials = PostgresStatement(
        "SELECT \(credentialColumns) FROM users WHERE username = $1")
    private static let selectCredentialsByID = PostgresStatement(
        "SELECT \(credentialColumns) FROM users WHERE user_id = $1")
    private static let credentialColumns = "user_id, username, password_hash"
    /// The second use of this statement is `SignInRepository.changePassword`.
    static let updatePasswordHash = PostgresStatement(
        "UPDATE users SET password_hash = $2 WHERE user_id = $1 AND password_hash = $3")
    private static let updateDisplayName = PostgresStatement(
        "UPDATE users SET display_name = $2 WHERE user_id = $1 RETURNING \(columns)")
    private static let search = PostgresStatement(
        """
        SELECT \(columns) FROM users WHERE \(PrefixSearch.condition("username", prefix: "$1")) AND username > $2
        ORDER BY username LIMIT $3
        """)
    private static let selectExisting = PostgresStatement("SELECT user_id FROM users WHERE user_id = ANY ($1)")
}
