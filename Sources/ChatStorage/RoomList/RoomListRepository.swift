import CommonUtil
import PostgresClient

/// The list of a user's rooms as state: what it is, what changed since a snapshot, and versions by which a server finds
/// that it missed a change.
///
/// Every function is one statement, so each result is of one moment. Costs follow the number of rooms in question, and
/// never a room's history.
public struct RoomListRepository: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    // MARK: The list

    /// Stores the present snapshot of the database, for cursors. One serves all users of a server.
    ///
    /// A client may be given a cursor of it once it has received everything that was visible then. What is read after
    /// this returns shows all of that.
    /// - Returns: its id, once it is committed.
    public func takeSnapshot() async throws -> ListSnapshotID {
        let snapshotID = ListSnapshotID.random()
        _ = try await database.query(Self.insertSnapshot, .int8(snapshotID.rawValue))
        return snapshotID
    }

    /// A user's rooms, and which of them changed since a cursor: some that did not may be among them.
    ///
    /// Without a valid cursor all rooms count as changed, and none as removed.
    /// - Parameters:
    ///   - cursor: of the client; one of another user is ignored.
    ///   - withSeqAtCursor: whether to find the heads as of the cursor (``RoomList/Entry/seqAtCursor``), which reads the
    ///     events that came since.
    public func list(
        of userID: UserID, since cursor: RoomListCursor?, withSeqAtCursor: Bool = false
    ) async throws -> RoomList {
        let cursor = cursor?.userID == userID ? cursor : nil
        let rows = try await database.query(
            Self.selectList, .int8(userID.rawValue), .int8(cursor?.snapshotID.rawValue), .bool(withSeqAtCursor))
        return try RoomList(rows, hadCursor: cursor != nil)
    }

    /// Rooms as `GET /rooms` shows them to a user.
    /// - Returns: those of which the user is a member, newest activity first.
    public func summaries(of userID: UserID, in roomIDs: [RoomID]) async throws -> [RoomSummary] {
        guard !roomIDs.isEmpty else { return [] }
        return try await database.query(
            Self.selectSummaries, .int8(userID.rawValue), .textArray(roomIDs.map(\.rawValue))
        ).map { try RoomSummary($0) }
    }

    /// How far a user has read rooms.
    /// - Parameter asked: the rooms, each with the last `seq` that counts.
    /// - Returns: those of which the user is a member, in no particular order.
    public func readStates(
        of userID: UserID, in asked: [(roomID: RoomID, upTo: Seq)]
    ) async throws -> [RoomReadState] {
        guard !asked.isEmpty else { return [] }
        return try await database.query(
            Self.selectReadStates, .int8(userID.rawValue), .textArray(asked.map(\.roomID.rawValue)),
            .int8Array(asked.map(\.upTo))
        ).map { row in
            RoomReadState(
                roomID: RoomID(verified: try row.decode(column: 0)), lastReadSeq: try row.decode(column: 1),
                unreadCount: try row.decode(column: 2))
        }
    }

    // MARK: Versions

    /// The versions of users. Every change of a user's memberships raises the version, and every move of a read mark by
    /// the user's own doing; posts do not. In a database that was set back versions are lower.
    /// - Returns: the version of each of them; 0 for users without a row.
    public func versions(of userIDs: [UserID]) async throws -> [UserID: Int64] {
        guard !userIDs.isEmpty else { return [:] }
        var versions = Dictionary(userIDs.map { ($0, Int64(0)) }, uniquingKeysWith: { first, _ in first })
        for row in try await database.query(Self.selectVersions, .int8Array(userIDs.map(\.rawValue))) {
            versions[try row.userID(column: 0)] = try row.decode(column: 1)
        }
        return versions
    }

    /// The memberships of users, each with the version that they are of. There is one row for each membership: callers
    /// bound the number of users.
    /// - Returns: the memberships of each of them.
    public func memberships(of userIDs: [UserID]) async throws -> [UserID: UserMemberships] {
        guard !userIDs.isEmpty else { return [:] }
        var versions: [UserID: Int64] = [:]
        var rooms: [UserID: [UserMemberships.Membership]] = [:]
        for row in try await database.query(Self.selectMemberships, .int8Array(Set(userIDs).map(\.rawValue))) {
            let (user, version, roomID, lastReadSeq, joinedSeq) = try row.decode(
                Int64.self, Int64.self, String?.self, Int64?.self, Int64?.self)
            versions[UserID(user)] = version
            guard let roomID, let lastReadSeq, let joinedSeq else { continue }
            rooms[UserID(user), default: []].append(
                UserMemberships.Membership(
                    roomID: RoomID(verified: roomID), lastReadSeq: lastReadSeq, joinedSeq: joinedSeq))
        }
        return Dictionary(
            uniqueKeysWithValues: versions.map { userID, version in
                (userID, UserMemberships(version: version, rooms: rooms[userID] ?? []))
            })
    }
}

/// The list as rows of ``RoomListRepository/selectList``.
extension RoomList {
    fileprivate init(_ rows: PostgresRows, hadCursor: Bool) throws {
        var version: Int64 = 0
        var cursorState = CursorState.none
        var entries: [Entry] = []
        var removed: [RoomID] = []
        for row in rows {
            switch try row.decode(column: 0, as: Int.self) {
            case RoomListRepository.headerRow:
                version = try row.decode(column: 2, as: Int64?.self) ?? 0
                let isValid = try row.decode(column: 4, as: Bool.self)
                cursorState = isValid ? .valid : hadCursor ? .setBackOrOld : .none
            case RoomListRepository.entryRow:
                entries.append(
                    Entry(
                        roomID: RoomID(verified: try row.decode(column: 1)), lastSeq: try row.decode(column: 2),
                        lastReadSeq: try row.decode(column: 3), isChanged: try row.decode(column: 4),
                        seqAtCursor: try row.decode(column: 5)))
            default:
                removed.append(RoomID(verified: try row.decode(column: 1)))
            }
        }
        self.init(version: version, cursorState: cursorState, entries: entries, removed: removed)
    }
}
