import CommonUtil
import PostgresClient

/// The addresses from which accounts signed in during the last 30 days, as pseudonyms: the stored text does not reveal
/// the address.
public struct LoginAddressRepository: Sendable {
    private static let lifetime = "30 days"
    /// Addresses kept for a user; beyond that the oldest are deleted.
    static let addressesPerUser = 64

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Whether the account signed in from this address recently.
    /// - Returns: `false` also if there is no such user.
    public func contains(_ address: String, of username: String) async throws -> Bool {
        try await !database.query(Self.select, .text(username), .text(address)).isEmpty
    }

    /// Notes the address of a login. An address that was noted today is not written again.
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
