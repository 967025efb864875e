import CommonUtil
import PostgresClient

/// A secret of signed URLs.
public struct FileSecret: Equatable, Sendable {
    public let bytes: [UInt8]
    public let createdAt: Timestamp

    /// Creates a secret.
    public init(bytes: [UInt8], createdAt: Timestamp) {
        self.bytes = bytes
        self.createdAt = createdAt
    }
}

/// The secrets of signed URLs, which all servers share.
public struct FileSecrets: Sendable {
    /// The age at which a secret gets a successor.
    private static let lifetimeSeconds = 86_400
    private static let length = 32

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// The last two secrets, the newest first. Makes a new one where the newest is a day old.
    public func current() async throws -> [FileSecret] {
        let results = try await database.batch([
            PostgresCommand(Self.lock),
            PostgresCommand(
                Self.insert, .bytea((0..<Self.length).map { _ in .random(in: .min ... .max) }),
                .int8(Self.lifetimeSeconds)),
            PostgresCommand(Self.trim), PostgresCommand(Self.select),
        ])
        return try (results.last ?? results[0]).map {
            FileSecret(bytes: try $0.decode(column: 0), createdAt: try $0.timestamp(column: 1))
        }
    }

    // Serializes the making of secrets, so that one is made by one server. "sign" in ASCII.
    private static let lock = PostgresStatement("SELECT pg_advisory_xact_lock(\(0x7369_676E))")
    private static let insert = PostgresStatement(
        """
        INSERT INTO file_secrets (secret) SELECT $1 WHERE NOT EXISTS (
            SELECT FROM file_secrets WHERE created_at > now() - $2::bigint * interval '1 second'
        )
        """)
    private static let trim = PostgresStatement(
        """
        DELETE FROM file_secrets WHERE secret_id NOT IN (
            SELECT secret_id FROM file_secrets ORDER BY secret_id DESC LIMIT 2
        )
        """)
    private static let select = PostgresStatement(
        "SELECT secret, created_at FROM file_secrets ORDER BY secret_id DESC LIMIT 2")
}
