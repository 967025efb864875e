import CommonUtil
import PostgresClient

/// Guests: users for 24 hours, who are found in no list and added to no room.
public struct GuestRepository: Sendable {
    /// The lifetime of a guest.
    public static let lifetime = Duration.seconds(24 * 60 * 60)

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Makes a guest.
    public func insert(displayName: String) async throws -> UserID {
        let rows = try await database.query(
            Self.insert, .text(displayName), .int8(Self.lifetime.components.seconds))
        guard let row = rows.first else { throw PostgresError.decoding("an inserted row is not there") }
        return try row.userID(column: 0)
    }

    /// The first guest among these users.
    public func firstGuest(of userIDs: [UserID]) async throws -> UserID? {
        try await database.query(Self.selectFirst, .int8Array(userIDs.map(\.rawValue))).first?.userID(column: 0)
    }

    /// Guests whose time is over.
    public func expired(limit: Int) async throws -> [UserID] {
        try await database.query(Self.selectExpired, .int8(limit)).map { try $0.userID(column: 0) }
    }

    // `indexed_name` says that the name is indexed: it never is.
    private static let insert = PostgresStatement(
        """
        INSERT INTO users (display_name, indexed_name, guest_until)
        VALUES ($1, $1, now() + $2 * interval '1 second') RETURNING user_id
        """)
    static let selectFirst = PostgresStatement(
        "SELECT user_id FROM users WHERE user_id = ANY ($1) AND guest_until IS NOT NULL LIMIT 1")
    private static let selectExpired = PostgresStatement(
        """
        SELECT user_id FROM users WHERE guest_until < now() AND guest_until IS NOT NULL AND erased_at IS NULL
        ORDER BY guest_until LIMIT $1
        """)
}
