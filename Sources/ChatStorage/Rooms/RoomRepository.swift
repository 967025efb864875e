import ChatEvents
import CommonUtil
import PostgresClient

/// Rooms and their members. All changes of an existing room go through ``withLockedRoom(_:_:)``.
public struct RoomRepository: Sendable {
    let database: ChatDatabase
    private let limits: RoomLimits

    /// - Parameters:
    ///   - database: the database to use.
    ///   - limits: for callers that make rooms or add members.
    public init(_ database: ChatDatabase, limits: RoomLimits = .none) {
        self.database = database
        self.limits = limits
    }

    // MARK: Making

    /// Makes a room with its first members. This is no event: the log of a new room is empty.
    /// - Parameters:
    ///   - adminIDs: those of the members who are admins.
    ///   - makerID: who makes the room, where it is not the owner. No limit on rooms counts then.
    ///   - directPair: the two members of a `direct` room, which are unique among such rooms.
    /// - Returns: the room, and the changes of its members' lists of rooms, to be published; `nil` if a room of this
    ///   id, or a direct room of this pair, exists.
    /// - Throws: `room_full`, `too_many_rooms`.
    public func insert(
        _ roomID: RoomID, name: String, type: RoomType, ownerID: UserID?, memberIDs: [UserID],
        adminIDs: [UserID] = [], makerID: UserID? = nil, directPair: DirectPair? = nil
    ) async throws -> (room: Room, userChanges: [UserChange])? {
        try limits.checkMembers(memberIDs.count)
        let members: [PostgresParameter] = [
            .text(roomID.rawValue), .text(name), .text(type.rawValue), .int8(ownerID?.rawValue),
            .text(directPair?.key), .int8Array(memberIDs.map(\.rawValue)),
        ]
        let command = PostgresCommand(
            Self.insert,
            members + NameSuffixes.parameters(of: type == .public ? [name] : []) + [
                .int8Array(adminIDs.map(\.rawValue)), .int8(makerID?.rawValue),
            ])
        guard limits.countsRooms, let ownerID, makerID == nil else {
            return try Self.made(try await database.batch([command])[0])
        }
        return try await database.withTransaction { [limits] transaction in
            try await limits.checkRooms(of: ownerID, adding: roomID, transaction)
            return try Self.made(try await transaction.batch([command])[0])
        }
    }

    /// Reads the rows of ``insert``: the room, once for each member.
    private static func made(_ rows: PostgresRows) throws -> (room: Room, userChanges: [UserChange])? {
        guard let room = try rows.first.map({ try Room($0) }) else { return nil }
        let changes = try rows.compactMap { row in
            try row.optionalUserID(column: Room.columnCount).map { userID in
                UserChange(
                    userID: userID, version: try row.decode(column: Room.columnCount + 1), roomID: room.roomID,
                    kind: .roomAdded, seq: room.lastSeq)
            }
        }
        return (room, changes)
    }

    // MARK: Reading

    /// A room by its id.
    public func room(_ roomID: RoomID) async throws -> Room? {
        try await database.query(Self.select, .text(roomID.rawValue)).first.map { try Room($0) }
    }

    /// The `direct` room of two users that is not archived.
    public func directRoom(_ pair: DirectPair) async throws -> Room? {
        try await database.query(Self.selectDirect, .text(pair.key)).first.map { try Room($0) }
    }

    /// A user's access to a room.
    /// - Returns: `nil` if there is no such room.
    public func access(to roomID: RoomID, of userID: UserID?) async throws -> RoomAccess? {
        try await database.query(Self.selectAccess, .text(roomID.rawValue), .int8(userID?.rawValue)).first
            .map { try RoomAccess($0) }
    }

    /// A member of a room; `nil` for a non-member.
    public func member(_ userID: UserID, of roomID: RoomID) async throws -> RoomMember? {
        try await database.query(LockedRoom.selectMember, .text(roomID.rawValue), .int8(userID.rawValue)).first
            .map { try RoomMember($0) }
    }

    /// A page of a room's members by user id, after `last`.
    public func members(
        of roomID: RoomID, for userID: UserID, after last: UserID?, limit: Int
    ) async throws -> RoomReading<RoomMember> {
        let rows = try await database.query(
            Self.selectMembers, .text(roomID.rawValue), .int8(userID.rawValue), .int8(last?.rawValue ?? 0),
            .int8(limit))
        return try RoomReading(rows) { try RoomMember(optional: $0, from: 1) }
    }

    /// A page of a user's rooms, newest activity first.
    /// - Parameter last: the sort key of the last room of the previous page.
    public func rooms(
        of userID: UserID, after last: (activeAt: Timestamp, roomID: RoomID)?, limit: Int
    ) async throws -> [RoomSummary] {
        try await database.query(
            Self.selectSummaries, .int8(userID.rawValue),
            .timestamptz(microsecondsSinceEpoch: last?.activeAt.microseconds), .text(last?.roomID.rawValue),
            .int8(limit)
        ).map { try RoomSummary($0) }
    }

    /// A page of the public rooms that are not archived, by name.
    public func publicRooms(after last: (name: String, roomID: RoomID)?, limit: Int) async throws -> [Room] {
        try await database.query(
            Self.selectPublic, .text(last?.name ?? ""), .text(last?.roomID.rawValue ?? ""), .int8(limit)
        ).map { try Room($0) }
    }

    /// A page of the public rooms that are not archived and have a word in their name that begins with `text`, sorted
    /// by the matching suffix.
    public func publicRooms(
        finding text: String, after last: (suffix: String, roomID: RoomID)?, limit: Int
    ) async throws -> [Found<Room>] {
        try await database.query(
            Self.searchPublic.statement,
            NameSearch.parameters(
                FoldedName(text), after: last.map { ($0.suffix, .text($0.roomID.rawValue)) }, lowest: .text(""),
                limit: limit)
        ).map { Found(item: try Room($0), suffix: try $0.decode(column: Room.columnCount)) }
    }

    /// A page of all rooms by id, archived ones among them.
    public func allRooms(after last: RoomID?, limit: Int) async throws -> [Room] {
        try await database.query(Self.selectAll, .text(last?.rawValue ?? ""), .int8(limit)).map { try Room($0) }
    }

    /// The heads of these rooms' logs; rooms that do not exist are left out.
    public func heads(of roomIDs: [RoomID]) async throws -> [RoomID: Seq] {
        let rows = try await database.query(Self.selectHeads, .textArray(roomIDs.map(\.rawValue)))
        return Dictionary(
            try rows.map { row in
                let (roomID, lastSeq) = try row.decode(String.self, Int64.self)
                return (RoomID(verified: roomID), lastSeq)
            }, uniquingKeysWith: { $1 })
    }

    // MARK: Changing

    /// Marks a room read for one of its members; see ``ReadMarks``.
    /// - Returns: `nil` if there is no such room.
    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadOutcome? {
        try await database.query(
            Self.updateRead, .text(roomID.rawValue), .int8(userID.rawValue), .int8(seq)
        ).first.map { row in
            guard try row.decode(column: 4, as: Bool.self) else {
                return .notAMember(try row.enumValue(column: 0), head: try row.decode(column: 1))
            }
            return .marked(
                ReadMark(
                    lastReadSeq: try row.decode(column: 2), hasMoved: try row.decode(column: 3),
                    version: try row.decode(column: 5)))
        }
    }

    /// Runs `body` in a transaction that excludes other changes of this room and posts to it.
    /// - Returns: the result of `body`, the events it appended, and the changes of users' lists of rooms, all committed
    ///   and to be published in this order; `nil` if there is no such room.
    public func withLockedRoom<Result: Sendable>(
        _ roomID: RoomID, _ body: @escaping @Sendable (inout LockedRoom) async throws -> Result
    ) async throws -> (result: Result, events: [RoomEvent], userChanges: [UserChange])? {
        try await database.withTransaction { [limits] transaction in
            let parameter = PostgresParameter.text(roomID.rawValue)
            let found = try await transaction.batch([
                PostgresCommand(Self.lock, parameter), PostgresCommand(Self.select, parameter),
            ])
            guard let lock = found[0].first, let row = found[1].first else { return nil }
            var lockedRoom = LockedRoom(
                room: try Room(row), now: try lock.timestamp(column: 0), limits: limits, transaction: transaction)
            let result = try await body(&lockedRoom)
            let userChanges = try await lockedRoom.membershipChanges.raiseVersions(in: roomID, transaction)
            return (result, lockedRoom.events, userChanges)
        }
    }
}

/// A summary as a row of ``RoomRepository/summaries(of:)``.
extension RoomSummary {
    init(_ row: PostgresRow) throws(PostgresError) {
        let next = Room.columnCount
        self.init(
            room: try Room(row),
            lastMessage: try Message(optional: row, from: next + 3),
            lastReadSeq: try row.decode(column: next),
            unreadCount: try row.decode(column: next + 1),
            activeAt: try row.timestamp(column: next + 2))
    }
}

/// The two users of a `direct` room, in either order.
public struct DirectPair: Equatable, Sendable {
    let key: String

    /// Names the pair of two users.
    public init(_ one: UserID, _ other: UserID) {
        key = "\(min(one, other)):\(max(one, other))"
    }
}

// MARK: - Open rooms (`trusted` mode)

extension RoomRepository {
    /// Runs `attempt`, and where it finds no room and rooms are open, makes the room and runs it again.
    /// - Parameters:
    ///   - isOpen: whether rooms are made on first use (`trusted` mode).
    ///   - attempt: returns `nil` if there is no such room.
    /// - Returns: `nil` if there is no such room, and none is made.
    public func withOpenRoom<Value>(
        _ roomID: RoomID, isOpen: Bool, _ attempt: () async throws -> Value?
    ) async throws -> Value? {
        if let value = try await attempt() { return value }
        guard isOpen else { return nil }
        try await makeOpenRoom(roomID)
        return try await attempt()
    }

    /// Makes a public room without an owner, named by its id, unless there is a room of that id.
    public func makeOpenRoom(_ roomID: RoomID) async throws {
        _ = try await insert(roomID, name: roomID.rawValue, type: .public, ownerID: nil, memberIDs: [])
    }
}
