import CommonUtil
import PostgresClient

/// The addresses from which accounts were signed in to in the last 30 days, as pseudonyms: whatever text stands for an
/// address here says nothing else about it.
public struct LoginAddressRepository: Sendable {
    private static let lifetime = "30 days"
    /// Of more than so many the oldest are forgotten.
    static let addressesPerUser = 64

    private let database: ChatDatabase

    public init(_ database: ChatDatabase) { self.database = database }

    /// - Returns: `false` also where there is no such user.
    public func contains(_ address: String, of username: String) async throws -> Bool {
        try await !database.query(Self.select, .text(username), .text(address)).isEmpty
    }

    /// To be called after each login. An address that was noted today is not written again.
    public func note(_ address: String, of userID: UserID) async throws {
        let rows = try await database.query(Self.upsert, .int8(userID.rawValue), .text(address))
        guard rows.affectedRows > 0 else { return }
        _ = try await database.query(Self.deleteOld, .int8(userID.rawValue), .int8(Self.addressesPerUser))
    }

    private static let select = PostgresStatement(
        """
        SELECT FROM users JOIN login_addresses ON login_addresses.user_id = users.user_id
        WHERE users.username = $1 AND login_addresses.address = $2
            AND login_addresses.seen_at > now() - interval '\(lifetime)'
        """)
    private static let upsert = PostgresStatement(
        """
        INSERT INTO login_addresses AS known (user_id, address) VALUES ($1, $2)
        ON CONFLICT (user_id, address) DO UPDATE SET seen_at = now() WHERE known.seen_at < now() - interval '1 day'
        """)
    private static let deleteOld = PostgresStatement(
        """
        DELETE FROM login_addresses WHERE user_id = $1 AND address NOT IN (
            SELECT address FROM login_addresses
            WHERE user_id = $1 AND seen_at > now() - interval '\(lifetime)' ORDER BY seen_at DESC, address LIMIT $2
        )
        """)
}
