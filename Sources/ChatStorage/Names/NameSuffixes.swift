import CommonUtil
import PostgresClient

/// Writes the suffixes of names, in the transaction that stores the name: a name can be found at once, and an old name
/// no longer.
///
/// `indexed_name` is the name that the suffixes were made of. If it differs from the name, an older release wrote
/// the row; ``NameIndexer`` repairs that.
enum NameSuffixes {
    /// Inserts suffixes of the row that a part of the same statement (`made`) inserts. `suffixes` and `areInside` are
    /// array parameters.
    static func insert(
        into table: String, id: String, of made: String, suffixes: String, areInside: String
    ) -> String {
        """
        INSERT INTO \(table) (\(id), suffix, is_inside)
        SELECT \(made).\(id), part.suffix, part.is_inside
        FROM \(made), unnest(\(suffixes)::text[], \(areInside)::boolean[]) AS part (suffix, is_inside)
        """
    }

    /// The array parameters for ``insert(into:id:of:suffixes:areInside:)``. A suffix that several names share is kept
    /// once.
    static func parameters(of names: [String]) -> [PostgresParameter] {
        let suffixes = distinct(of: names)
        return [.textArray(suffixes.map(\.text)), .boolArray(suffixes.map(\.isInside))]
    }

    private static func distinct(of names: [String]) -> [FoldedName.Suffix] {
        var isInside: [String: Bool] = [:]
        for suffix in names.flatMap({ FoldedName($0).suffixes }) {
            isInside[suffix.text] = suffix.isInside && isInside[suffix.text] ?? true
        }
        return isInside.map { FoldedName.Suffix(text: $0, isInside: $1) }
    }

    // MARK: Names that change

    /// Replaces the suffixes of a user, in the transaction that has stored the new name and locks the row.
    static func replaceForUser(
        _ userID: UserID, username: String?, displayName: String
    ) -> [PostgresCommand] {
        let id = PostgresParameter.int8(userID.rawValue)
        return [
            PostgresCommand(deleteForUser, id),
            PostgresCommand(insertForUser, [id] + parameters(of: [username, displayName].compactMap(\.self))),
        ]
    }

    /// Removes the suffixes of a user, who then cannot be found.
    static func removeForUser(_ userID: UserID) -> PostgresCommand {
        PostgresCommand(deleteForUser, .int8(userID.rawValue))
    }

    /// As ``replaceForUser(_:username:displayName:)``; only public rooms can be found.
    static func replaceForRoom(_ roomID: RoomID, name: String) -> [PostgresCommand] {
        let id = PostgresParameter.text(roomID.rawValue)
        return [
            PostgresCommand(deleteForRoom, id), PostgresCommand(insertForRoom, [id] + parameters(of: [name])),
        ]
    }

    /// Removes the suffixes of a room, which then cannot be found.
    static func removeForRoom(_ roomID: RoomID) -> PostgresCommand {
        PostgresCommand(deleteForRoom, .text(roomID.rawValue))
    }

    // MARK: Names of many

    /// Writes the suffixes of several users' names, in the transaction that stores the names.
    /// - Parameter present: those of them who had names before.
    static func replace(forUsers names: [(userID: UserID, names: [String])], present: [UserID]) -> [PostgresCommand] {
        let suffixes = names.flatMap { user in distinct(of: user.names).map { (id: user.userID.rawValue, part: $0) } }
        return [
            PostgresCommand(deleteForUsers, .int8Array(present.map(\.rawValue))),
            PostgresCommand(
                insertForUsers, .int8Array(suffixes.map(\.id)), .textArray(suffixes.map(\.part.text)),
                .boolArray(suffixes.map(\.part.isInside))),
        ]
    }

    /// As ``replace(forUsers:present:)``; only public rooms can be found.
    static func replace(forRooms names: [(roomID: RoomID, name: String)]) -> [PostgresCommand] {
        let suffixes = names.flatMap { room in distinct(of: [room.name]).map { (id: room.roomID.rawValue, part: $0) } }
        return [
            PostgresCommand(deleteForRooms, .textArray(names.map(\.roomID.rawValue))),
            PostgresCommand(
                insertForRooms, .textArray(suffixes.map(\.id)), .textArray(suffixes.map(\.part.text)),
                .boolArray(suffixes.map(\.part.isInside))),
        ]
    }

    static let users = "user_name_suffixes"
    static let rooms = "room_name_suffixes"

    private static let deleteForUser = PostgresStatement("DELETE FROM \(users) WHERE user_id = $1")
    private static let deleteForRoom = PostgresStatement("DELETE FROM \(rooms) WHERE room_id = $1")
    private static let deleteForUsers = PostgresStatement("DELETE FROM \(users) WHERE user_id = ANY ($1)")
    private static let deleteForRooms = PostgresStatement("DELETE FROM \(rooms) WHERE room_id = ANY ($1)")
    private static let insertForUsers = PostgresStatement(
        """
        INSERT INTO \(users) (user_id, suffix, is_inside)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::boolean[])
        """)
    private static let insertForRooms = PostgresStatement(
        """
        INSERT INTO \(rooms) (room_id, suffix, is_inside)
        SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[])
        """)
    private static let insertForUser = PostgresStatement(
        """
        WITH named AS (
            UPDATE users SET indexed_name = display_name WHERE user_id = $1 RETURNING user_id
        )
        \(insert(into: users, id: "user_id", of: "named", suffixes: "$2", areInside: "$3"))
        """)
    private static let insertForRoom = PostgresStatement(
        """
        WITH named AS (
            UPDATE rooms SET indexed_name = name WHERE room_id = $1 RETURNING room_id
        )
        \(insert(into: rooms, id: "room_id", of: "named", suffixes: "$2", areInside: "$3"))
        """)
}
