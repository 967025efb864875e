import CommonUtil
import PostgresClient

/// Registered users.
public struct UserRepository: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Registers a user.
    /// - Parameter username: folded to lower case by the caller.
    /// - Returns: `nil` if the name is taken.
    public func insert(username: String, displayName: String, passwordHash: String) async throws -> User? {
        let account: [PostgresParameter] = [.text(username), .text(displayName), .text(passwordHash)]
        return try await database.query(
            Self.insert, account + NameSuffixes.parameters(of: [username, displayName])
        ).first.map(Self.user)
    }

    /// A user by id.
    public func user(_ userID: UserID) async throws -> User? {
        try await database.query(Self.select, .int8(userID.rawValue)).first.map(Self.user)
    }

    /// A user by the id in another program's database.
    public func user(externalID: ExternalID) async throws -> User? {
        try await database.query(Self.selectByExternalID, .text(externalID.rawValue)).first.map(Self.user)
    }

    /// The credentials of a user with a password, by name.
    public func credentials(username: String) async throws -> Credentials? {
        try await database.query(Self.selectCredentials, .text(username)).first.map(Self.credentials)
    }

    /// The credentials of a user with a username and a password, by id.
    public func credentials(of userID: UserID) async throws -> Credentials? {
        try await database.query(Self.selectCredentialsByID, .int8(userID.rawValue)).first.map(Self.credentials)
    }

    /// Replaces the hash that a password was verified against by another hash of the same password.
    /// - Returns: `false` if the password has been changed meanwhile; nothing is written then.
    public func replacePasswordHash(_ old: String, by new: String, of userID: UserID) async throws -> Bool {
        try await database.query(Self.updatePasswordHash, .int8(userID.rawValue), .text(new), .text(old))
            .affectedRows == 1
    }

    /// The highest cost (log2 of scrypt's N) of any stored password hash; `nil` if there is none.
    public func highestPasswordCost() async throws -> Int? {
        try await database.query(Self.selectHighestCost).first?.decode(column: 0, as: Int32?.self).map(Int.init)
    }

    /// A user's own profile.
    public func profile(of userID: UserID) async throws -> UserProfile? {
        try await database.query(Self.selectProfile, .int8(userID.rawValue)).first.map(Self.profile)
    }

    /// Changes the fields that are not `nil`.
    /// - Returns: `nil` if there is no such user.
    public func change(
        _ userID: UserID, displayName: String?, whoMayAdd: WhoMayAdd?
    ) async throws -> UserProfile? {
        try await database.withTransaction { transaction in
            let row = try await transaction.query(
                Self.update, .int8(userID.rawValue), .text(displayName), .text(whoMayAdd?.rawValue)
            ).first
            guard let row else { return nil }
            let profile = try Self.profile(row)
            let isGuest = try row.decode(column: Self.columnCount + 1, as: Bool.self)
            if displayName != nil, !isGuest {
                _ = try await transaction.batch(
                    NameSuffixes.replaceForUser(
                        userID, username: profile.user.username, displayName: profile.user.displayName))
            }
            return profile
        }
    }

    /// The end of a page of ``users(after:limit:)``.
    public enum ListPosition: Equatable, Sendable {
        case username(String)
        /// A user without a username.
        case unnamed(UserID)
    }

    /// A page of all users: by username, then those without one by id. Guests are in no list.
    public func users(after last: ListPosition?, limit: Int) async throws -> [User] {
        let (name, id): (String, Int64) =
            switch last {
            case nil: ("", 0)
            case .username(let name): (name, 0)
            // No username is greater.
            case .unnamed(let userID): ("\u{10FFFF}", userID.rawValue)
            }
        return try await database.query(Self.selectAll, .text(name), .int8(id), .int8(limit)).map(Self.user)
    }

    /// A page of the users with a word in their username or display name that begins with `text`, sorted by the
    /// matching suffix.
    public func users(
        finding text: String, after last: (suffix: String, userID: UserID)?, limit: Int
    ) async throws -> [Found<User>] {
        try await database.query(
            Self.search.statement,
            NameSearch.parameters(
                FoldedName(text), after: last.map { ($0.suffix, .int8($0.userID.rawValue)) },
                lowest: .int8(Int64.min), limit: limit)
        ).map { Found(item: try Self.user($0), suffix: try $0.decode(column: Self.columnCount)) }
    }

    /// The first of these users whom `actorID` may not add to rooms. Unregistered users may be added by everyone.
    public func firstNotAddable(of userIDs: [UserID], by actorID: UserID) async throws -> UserID? {
        try await database.query(
            Self.selectNotAddable, .int8Array(userIDs.map(\.rawValue)), .int8(actorID.rawValue)
        ).first?.userID(column: 0)
    }

    /// The registered ones among these users.
    public func existing(_ userIDs: [UserID]) async throws -> Set<UserID> {
        let rows = try await database.query(Self.selectExisting, .int8Array(userIDs.map(\.rawValue)))
        return Set(try rows.map { UserID(try $0.decode(column: 0, as: Int64.self)) })
    }

    static func user(_ row: PostgresRow) throws -> User {
        User(
            userID: try row.userID(column: 0), username: try row.decode(column: 1),
            displayName: try row.decode(column: 2), createdAt: try row.timestamp(column: 3),
            externalID: try row.decode(column: 4, as: String?.self).map(ExternalID.init(verified:)),
            isErased: try row.decode(column: 5))
    }

    private static func credentials(_ row: PostgresRow) throws -> Credentials {
        Credentials(
            userID: try row.userID(column: 0), username: try row.decode(column: 1),
            passwordHash: try row.decode(column: 2), isDisabled: try row.decode(column: 3))
    }

    private static func profile(_ row: PostgresRow) throws -> UserProfile {
        UserProfile(user: try user(row), whoMayAdd: try row.enumValue(column: columnCount))
    }

    static let columns = """
        users.user_id, users.username, users.display_name, users.created_at, users.external_id,
        users.erased_at IS NOT NULL
        """
    static let columnCount = 6
    private static let insert = PostgresStatement(
        """
        WITH made AS (
            INSERT INTO users (username, display_name, password_hash, indexed_name) VALUES ($1, $2, $3, $2)
            ON CONFLICT (username) DO NOTHING RETURNING *
        ), named AS (
            \(NameSuffixes.insert(
                into: NameSuffixes.users, id: "user_id", of: "made", suffixes: "$4", areInside: "$5"))
        )
        SELECT \(columns) FROM made AS users
        """)
    private static let select = PostgresStatement("SELECT \(columns) FROM users WHERE user_id = $1")
    private static let selectByExternalID = PostgresStatement("SELECT \(columns) FROM users WHERE external_id = $1")
    private static let selectCredentials = PostgresStatement(
        "SELECT \(credentialColumns) FROM users WHERE username = $1 AND password_hash IS NOT NULL")
    private static let selectCredentialsByID = PostgresStatement(
        """
        SELECT \(credentialColumns) FROM users
        WHERE user_id = $1 AND username IS NOT NULL AND password_hash IS NOT NULL
        """)
    private static let credentialColumns = "user_id, username, password_hash, is_disabled"
    // Reads the end of an index on this expression.
    private static let selectHighestCost = PostgresStatement(
        "SELECT max(substring(password_hash FROM '[$]ln=([0-9]{1,2}),')::integer) FROM users")
    // Also used by `SignInRepository.changePassword`.
    static let updatePasswordHash = PostgresStatement(
        "UPDATE users SET password_hash = $2 WHERE user_id = $1 AND password_hash = $3")
    private static let selectProfile = PostgresStatement(
        "SELECT \(columns), who_may_add FROM users WHERE user_id = $1 AND erased_at IS NULL")
    private static let update = PostgresStatement(
        """
        UPDATE users SET display_name = coalesce($2, display_name), who_may_add = coalesce($3, who_may_add),
            indexed_name = CASE WHEN guest_until IS NULL THEN indexed_name ELSE coalesce($2, display_name) END
        WHERE user_id = $1 AND erased_at IS NULL RETURNING \(columns), who_may_add, guest_until IS NOT NULL
        """)
    // Two ranges of an index each, one after the other.
    private static let selectAll = PostgresStatement(
        """
        SELECT * FROM (
            (SELECT \(columns) FROM users WHERE username > $1 ORDER BY username LIMIT $3)
            UNION ALL
            (SELECT \(columns) FROM users
            WHERE user_id > $2 AND username IS NULL AND erased_at IS NULL AND guest_until IS NULL
            ORDER BY user_id LIMIT $3)
        ) AS users LIMIT $3
        """)
    static let search = NameSearch(
        table: NameSuffixes.users, id: "user_id", of: "users", columns: columns)
    /// Reads the rooms of each user who is to be added up to the first shared one, and the users up to the first who
    /// refuses.
    static let selectNotAddable = PostgresStatement(
        """
        SELECT asked.user_id FROM unnest($1::bigint[]) AS asked (user_id)
        CROSS JOIN LATERAL (SELECT who_may_add FROM users WHERE user_id = asked.user_id LIMIT 1) AS users
        WHERE asked.user_id <> $2 AND users.who_may_add <> 'everyone' AND NOT (
            users.who_may_add = 'shared' AND EXISTS (
                SELECT FROM room_members AS theirs
                CROSS JOIN LATERAL (
                    SELECT FROM room_members WHERE room_id = theirs.room_id AND user_id = $2 LIMIT 1
                ) AS mine
                CROSS JOIN LATERAL (
                    SELECT FROM rooms WHERE room_id = theirs.room_id AND archived_at IS NULL LIMIT 1
                ) AS open
                WHERE theirs.user_id = asked.user_id))
        LIMIT 1
        """)
    private static let selectExisting = PostgresStatement(
        "SELECT user_id FROM users WHERE user_id = ANY ($1) AND erased_at IS NULL")
}
