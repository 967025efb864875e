import CommonUtil
import PostgresClient

/// The keys of servers. Only hashes of their secrets are stored.
public struct ServerKeyRepository: Sendable {
    /// Maximum number of keys: every server keeps all of them in memory and reads them every two seconds.
    public static let maximumCount = 1_000

    /// The result of making a key.
    public enum Made: Equatable, Sendable {
        case made(ServerKey)
        /// A key of this name exists.
        case nameTaken
        /// There are ``maximumCount`` keys.
        case tooMany
    }

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Stores a new key.
    /// - Parameter hash: of its secret.
    public func insert(
        _ name: KeyName, hash: [UInt8], scopes: Set<KeyScope>, expiresAt: Timestamp?
    ) async throws -> Made {
        try await database.withTransaction { transaction in
            _ = try await transaction.query(Self.lock)
            let row = try await transaction.query(
                Self.insert, .text(name.rawValue), .bytea(hash),
                .textArray(KeyScope.allCases.filter(scopes.contains).map(\.rawValue)),
                .timestamptz(microsecondsSinceEpoch: expiresAt?.microseconds), .int8(Self.maximumCount)
            ).first
            if let row { return .made(try Self.key(row)) }
            let existing = try await transaction.query(Self.select, .text(name.rawValue))
            return existing.isEmpty ? .tooMany : .nameTaken
        }
    }

    /// Deletes a key.
    /// - Returns: `false` if there is none of this name.
    public func delete(_ name: KeyName) async throws -> Bool {
        try await database.query(Self.delete, .text(name.rawValue)).affectedRows == 1
    }

    /// All keys by name.
    public func all() async throws -> [ServerKey] {
        try await database.query(Self.selectAll).map(Self.key)
    }

    /// All keys with the hashes of their secrets.
    public func entries() async throws -> [(hash: [UInt8], key: ServerKey)] {
        try await database.query(Self.selectAll).map { row in
            (hash: try row.decode(column: 4), key: try Self.key(row))
        }
    }

    // Scopes of a newer release are left out: this one has no call for them.
    private static func key(_ row: PostgresRow) throws -> ServerKey {
        ServerKey(
            name: KeyName(verified: try row.decode(column: 0)),
            scopes: Set(
                try row.decode(column: 1, as: String.self).split(separator: ",").compactMap {
                    KeyScope(rawValue: String($0))
                }),
            createdAt: try row.timestamp(column: 2), expiresAt: try row.optionalTimestamp(column: 3))
    }

    private static let columns = "name, array_to_string(scopes, ','), created_at, expires_at, key_hash"
    // Serializes the making of keys, so that they are counted exactly. "keys" in ASCII.
    private static let lock = PostgresStatement("SELECT pg_advisory_xact_lock(\(0x6B65_7973))")
    private static let insert = PostgresStatement(
        """
        INSERT INTO server_keys (name, key_hash, scopes, expires_at)
        SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM server_keys) < $5
        ON CONFLICT (name) DO NOTHING RETURNING \(columns)
        """)
    private static let select = PostgresStatement("SELECT FROM server_keys WHERE name = $1")
    private static let delete = PostgresStatement("DELETE FROM server_keys WHERE name = $1")
    private static let selectAll = PostgresStatement("SELECT \(columns) FROM server_keys ORDER BY name")
}
