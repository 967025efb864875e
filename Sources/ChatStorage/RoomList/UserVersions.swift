import ChatEvents
import CommonUtil
import PostgresClient

/// The SQL of `user_versions`: a version for each user, which every change of the user's list of rooms raises.
///
/// Raised as the last thing of a transaction, and of several users in the order of their ids. So nobody who holds a
/// version waits for anything but a higher one, and two transactions never wait for each other in a circle.
enum UserVersions {
    /// Raises the versions of users.
    /// - Parameter users: SQL for the source of rows with a `user_id`, each user once: what stands after `FROM`.
    /// - Returns: an `INSERT` with rows of `user_id` and the new `version`.
    static func raise(of users: String) -> String {
        """
        INSERT INTO user_versions (user_id, version) SELECT user_id, 1 FROM \(users) ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE SET version = user_versions.version + 1 RETURNING user_id, version
        """
    }

    private static let raiseBySteps = PostgresStatement(
        """
        INSERT INTO user_versions (user_id, version)
        SELECT user_id, step FROM unnest($1::bigint[], $2::bigint[]) AS raised (user_id, step) ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE SET version = user_versions.version + excluded.version
        RETURNING user_id, version
        """)

    /// Raises the versions of users by more than one, in a transaction whose other changes are done.
    /// - Returns: the new version of each of them.
    static func raise(
        by steps: [UserID: Int64], _ transaction: PostgresTransaction
    ) async throws -> [UserID: Int64] {
        let steps = Array(steps)
        return try versions(
            try await transaction.query(
                raiseBySteps, .int8Array(steps.map(\.key.rawValue)), .int8Array(steps.map(\.value))))
    }

    private static func versions(_ rows: PostgresRows) throws -> [UserID: Int64] {
        Dictionary(try rows.map { (try $0.userID(column: 0), try $0.decode(column: 1)) }, uniquingKeysWith: { $1 })
    }

    private static let raiseAll = PostgresStatement(raise(of: "unnest($1::bigint[]) AS user_id"))

    /// Raises the versions of users, in a transaction whose other changes are done.
    /// - Returns: the new version of each of them.
    static func raise(
        of userIDs: Set<UserID>, _ transaction: PostgresTransaction
    ) async throws -> [UserID: Int64] {
        try versions(try await transaction.query(raiseAll, .int8Array(userIDs.map(\.rawValue))))
    }
}

extension [MembershipChange] {
    /// Raises the versions of these users, at the end of their transaction.
    /// - Returns: what is to be published after the commit.
    func raiseVersions(in roomID: RoomID, _ transaction: PostgresTransaction) async throws -> [UserChange] {
        guard !isEmpty else { return [] }
        let versions = try await UserVersions.raise(of: Set(map(\.userID)), transaction)
        return compactMap { change in
            guard let seq = change.joinedAt, let version = versions[change.userID] else { return nil }
            return UserChange(userID: change.userID, version: version, roomID: roomID, kind: .roomAdded, seq: seq)
        }
    }
}
