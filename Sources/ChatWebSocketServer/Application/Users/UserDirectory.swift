import ChatEvents
import ChatStorage
import CommonUtil

/// The lists of users' rooms, wherever they are stored.
protocol UserDirectory: Sendable {
    /// Stores a snapshot of the database, for cursors.
    func takeSnapshot() async throws -> ListSnapshotID

    /// A user's rooms, and which of them changed since a cursor.
    /// - Parameter withSeqAtCursor: whether to find the rooms' heads as of the cursor.
    func list(of userID: UserID, since cursor: RoomListCursor?, withSeqAtCursor: Bool) async throws -> RoomList

    /// Those of some rooms that are the user's, newest activity first.
    func rooms(of userID: UserID, in roomIDs: [RoomID]) async throws -> [ListedRoom]

    /// How far a user has read rooms, each with the last `seq` that counts.
    func readStates(of userID: UserID, in asked: [(roomID: RoomID, upTo: Seq)]) async throws -> [RoomReadState]

    /// The present versions of users.
    func versions(of userIDs: [UserID]) async throws -> [UserID: Int64]

    /// The present memberships of a user.
    func memberships(of userID: UserID) async throws -> UserMemberships

    /// Reads where logs are; `nil` where there is no such room.
    func positions(at asked: [(roomID: RoomID, seq: Seq)]) async throws -> [LogPosition?]
}
