import CommonUtil
import PostgresClient

/// Users, as a backend with a server's key manages them.
public struct ManagedUserRepository: Sendable {
    /// The wanted state of a user. `nil` leaves a property unchanged.
    public struct Change: Sendable {
        public let displayName: String?
        public let username: String?
        /// `true` ends all sign-ins and refuses new ones.
        public let isDisabled: Bool?

        /// Describes a change.
        public init(displayName: String?, username: String?, isDisabled: Bool?) {
            self.displayName = displayName
            self.username = username
            self.isDisabled = isDisabled
        }
    }

    /// The result of ``put(_:_:defaultName:)``.
    public enum Put: Sendable {
        /// Made or changed. `ended` has the sign-ins that were ended, where the user was disabled.
        case done(ManagedUser, isNew: Bool, ended: SignInRepository.Ended?)
        case usernameTaken
    }

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Makes the user with an external id, or changes it.
    /// - Parameter defaultName: the display name of a new user without one.
    public func put(_ externalID: ExternalID, _ change: Change, defaultName: String) async throws -> Put {
        do {
            return try await database.withTransaction { transaction in
                try await Self.put(externalID, change, defaultName: defaultName, transaction)
            }
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            // The name was taken, or the user made, at the same moment: now it is there.
            return try await database.withTransaction { transaction in
                try await Self.put(externalID, change, defaultName: defaultName, transaction)
            }
        }
    }

    private static func put(
        _ externalID: ExternalID, _ change: Change, defaultName: String, _ transaction: PostgresTransaction
    ) async throws -> Put {
        let found = try await transaction.query(lock, .text(externalID.rawValue)).first
        let knownID = try found?.userID(column: 0)
        if let username = change.username {
            let holder = try await transaction.query(selectHolder, .text(username)).first
            if let holder, try holder.userID(column: 0) != knownID { return .usernameTaken }
        }
        let row: PostgresRow?
        if let knownID {
            row = try await transaction.query(
                update, .int8(knownID.rawValue), .text(change.displayName), .text(change.username),
                .bool(change.isDisabled)
            ).first
        } else {
            row = try await transaction.query(
                insert, .text(externalID.rawValue), .text(change.displayName ?? defaultName), .text(change.username),
                .bool(change.isDisabled ?? false)
            ).first
        }
        guard let row else { throw PostgresError.decoding("a user that is locked has gone") }
        let managed = try managedUser(row)
        let user = managed.user
        if knownID == nil || change.displayName != nil || change.username != nil {
            _ = try await transaction.batch(
                NameSuffixes.replaceForUser(user.userID, username: user.username, displayName: user.displayName))
        }
        var ended: SignInRepository.Ended?
        if change.isDisabled == true, knownID != nil {
            ended = SignInRepository.Ended(
                userID: user.userID,
                revocations: try await SignInEnding.end(.all(user.userID, except: nil), transaction))
        }
        return .done(managed, isNew: knownID == nil, ended: ended)
    }

    /// A page of all users that are not erased, by id.
    public func users(after last: UserID?, limit: Int) async throws -> [ManagedUser] {
        try await database.query(Self.selectAll, .int8(last?.rawValue ?? 0), .int8(limit)).map(Self.managedUser)
    }

    private static func managedUser(_ row: PostgresRow) throws -> ManagedUser {
        ManagedUser(
            user: try UserRepository.user(row), isDisabled: try row.decode(column: UserRepository.columnCount))
    }

    private static let columns = "\(UserRepository.columns), users.is_disabled"
    private static let lock = PostgresStatement("SELECT user_id FROM users WHERE external_id = $1 FOR UPDATE")
    private static let selectHolder = PostgresStatement("SELECT user_id FROM users WHERE username = $1")
    private static let update = PostgresStatement(
        """
        UPDATE users SET display_name = coalesce($2, display_name), username = coalesce($3, username),
            is_disabled = coalesce($4, is_disabled)
        WHERE user_id = $1 RETURNING \(columns)
        """)
    private static let insert = PostgresStatement(
        """
        INSERT INTO users (external_id, display_name, username, is_disabled, indexed_name) VALUES ($1, $2, $3, $4, $2)
        RETURNING \(columns)
        """)
    private static let selectAll = PostgresStatement(
        "SELECT \(columns) FROM users WHERE user_id > $1 AND erased_at IS NULL ORDER BY user_id LIMIT $2")
}

// MARK: - Erasing

extension ManagedUserRepository {
    /// Keeps a user from signing in and ends all sign-ins, as the first step of erasing.
    /// - Returns: `nil` if there is no such user. An erased user is found, so that erasing can be repeated.
    public func disable(_ userID: UserID) async throws -> SignInRepository.Ended? {
        try await database.withTransaction { transaction in
            guard try await transaction.query(Self.disable, .int8(userID.rawValue)).affectedRows == 1 else {
                return nil
            }
            return SignInRepository.Ended(
                userID: userID, revocations: try await SignInEnding.end(.all(userID, except: nil), transaction))
        }
    }

    /// The rooms that an erased user leaves: all but `direct` ones, which keep their two members.
    public func roomsToLeave(_ userID: UserID, limit: Int) async throws -> [RoomID] {
        try await database.query(Self.selectRooms, .int8(userID.rawValue), .int8(limit))
            .map { RoomID(verified: try $0.decode(column: 0)) }
    }

    /// Erases what is kept of a user, as the last step. The row stays, so that the id is not given again; messages stay.
    /// Files go, also those that messages name.
    public func erase(_ userID: UserID) async throws {
        let id = PostgresParameter.int8(userID.rawValue)
        _ = try await database.batch(
            [
                PostgresCommand(Self.eraseUser, id), NameSuffixes.removeForUser(userID),
                PostgresCommand(Self.deleteAddresses, id), PostgresCommand(Self.deleteFormer, id),
                // Files before members, as posts lock them.
                PostgresCommand(FileRemoval.deleteOfUser, id), PostgresCommand(Self.eraseReadMarks, id),
            ])
    }

    private static let disable = PostgresStatement("UPDATE users SET is_disabled = true WHERE user_id = $1")
    private static let selectRooms = PostgresStatement(
        """
        SELECT room_members.room_id FROM room_members
        CROSS JOIN LATERAL (SELECT type FROM rooms WHERE room_id = room_members.room_id LIMIT 1) AS rooms
        WHERE room_members.user_id = $1 AND rooms.type <> '\(RoomType.direct.rawValue)'
        ORDER BY room_members.room_id LIMIT $2
        """)
    private static let eraseUser = PostgresStatement(
        """
        UPDATE users SET erased_at = coalesce(erased_at, now()), is_disabled = true, username = NULL,
            display_name = '', indexed_name = '', password_hash = NULL, external_id = NULL, issued_name = NULL,
            guest_until = NULL
        WHERE user_id = $1
        """)
    private static let deleteAddresses = PostgresStatement("DELETE FROM login_addresses WHERE user_id = $1")
    private static let deleteFormer = PostgresStatement("DELETE FROM former_members WHERE user_id = $1")
    private static let eraseReadMarks = PostgresStatement(
        "UPDATE room_members SET last_read_seq = 0 WHERE user_id = $1 AND last_read_seq > 0")
}
