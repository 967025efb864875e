import ChatEvents
import CommonUtil
import PostgresClient

/// Appends to the order of the feed of changes. One server does, by a lease.
///
/// The order is exact since each room's log is gapless and a head is visible only with all events up to it: what is
/// appended is "room R, from the last appended event to the head". The lease decides who does the work, and nothing
/// else depends on it: whatever is appended is determined in the transaction that appends it, under the row lock of
/// `change_feed`. A server that was suspended and wakes up holds no lease any more, and appends nothing.
public struct ChangeSequenceRepository: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    // MARK: The lease

    /// Takes the lease where nobody holds it, or extends it.
    /// - Parameters:
    ///   - holder: the server, by a number that no other one has.
    ///   - duration: from now on, by the clock of the database.
    /// - Returns: whether this server holds it now.
    public func acquire(_ holder: Int64, for duration: Duration) async throws -> Bool {
        try await !database.query(
            Self.acquire, .int8(holder), .int8(Int64(duration / .microseconds(1)))
        ).isEmpty
    }

    /// Gives the lease up, so that another server need not wait for its end.
    public func release(_ holder: Int64) async throws {
        _ = try await database.query(Self.release, .int8(holder))
    }

    // MARK: Finding

    /// Those of the rooms that have events which are not appended, or were not appended at all.
    public func pending(of roomIDs: [RoomID]) async throws -> [RoomID] {
        guard !roomIDs.isEmpty else { return [] }
        return try await database.query(Self.selectPending, .textArray(roomIDs.map(\.rawValue)))
            .map { RoomID(verified: try $0.decode(column: 0)) }
    }

    /// A part of all rooms, in the order of their ids.
    public struct Part: Equatable, Sendable {
        /// The last room of the part; `nil` if there were no more rooms.
        public let last: RoomID?
        /// Those of the part that have events which are not appended, or were not appended at all.
        public let pending: [RoomID]

        /// Describes a part.
        public init(last: RoomID?, pending: [RoomID]) {
            self.last = last
            self.pending = pending
        }
    }

    /// Looks through a part of all rooms.
    /// - Parameters:
    ///   - roomID: the last room of the part before; `nil` to begin.
    ///   - limit: of rooms to look at.
    public func pending(after roomID: RoomID?, limit: Int) async throws -> Part {
        guard
            let row = try await database.query(
                Self.selectPart, .text(roomID?.rawValue ?? ""), .int8(limit)
            ).first
        else { return Part(last: nil, pending: []) }
        let (last, count, pending) = try row.decode(String?.self, Int64.self, [String]?.self)
        return Part(
            last: count < limit ? nil : last.map { RoomID(verified: $0) },
            pending: (pending ?? []).map { RoomID(verified: $0) })
    }

    // MARK: Appending

    /// Appends what these rooms have and the order does not, up to their heads.
    /// - Returns: the position of the last run of the feed, where something was appended; `nil` if there was nothing to
    ///   append, or this server does not hold the lease.
    public func append(_ roomIDs: [RoomID], holder: Int64, extendingBy duration: Duration) async throws -> Int64? {
        guard !roomIDs.isEmpty else { return nil }
        // In one round trip, so that a server that is suspended does so before or after, and keeps no lock. The second
        // statement has a snapshot of its own, which is taken under the lock of the first.
        let rows = try await database.batch([
            PostgresCommand(Self.lock, .int8(holder)),
            PostgresCommand(
                Self.append, .int8(holder), .textArray(Set(roomIDs).map(\.rawValue)), .int8(.random(in: .min ... .max)),
                .int8(Int64(duration / .microseconds(1)))),
        ])
        return try rows.last?.first?.decode(column: 0, as: Int64.self)
    }
}

// MARK: SQL

extension ChangeSequenceRepository {
    /// An interval of a parameter's number of microseconds.
    private static func interval(_ parameter: String) -> String {
        "\(parameter)::bigint * interval '1 microsecond'"
    }

    static let acquire = PostgresStatement(
        """
        UPDATE change_feed SET holder = $1, held_until = clock_timestamp() + \(interval("$2"))
        WHERE holder = $1 OR holder IS NULL OR held_until < clock_timestamp() RETURNING true
        """)
    static let release = PostgresStatement("UPDATE change_feed SET holder = NULL WHERE holder = $1")
    static let lock = PostgresStatement("SELECT FROM change_feed WHERE holder = $1 FOR NO KEY UPDATE")

    /// The last `seq` of a room that was appended; no row where nothing was.
    private static func appended(_ room: String) -> String {
        """
        LEFT JOIN LATERAL (
            SELECT to_seq FROM change_runs WHERE room_id = \(room) ORDER BY position DESC LIMIT 1
        ) AS appended ON true
        """
    }
    private static let isPending = "(appended.to_seq IS NULL OR appended.to_seq < rooms.last_seq)"

    static let selectPending = PostgresStatement(
        """
        SELECT rooms.room_id FROM unnest($1::text[]) AS asked (room_id)
        CROSS JOIN LATERAL (SELECT room_id, last_seq FROM rooms WHERE room_id = asked.room_id LIMIT 1) AS rooms
        \(appended("rooms.room_id"))
        WHERE \(isPending)
        """)
    static let selectPart = PostgresStatement(
        """
        SELECT max(rooms.room_id), count(*), array_agg(rooms.room_id) FILTER (WHERE \(isPending))
        FROM (SELECT room_id, last_seq FROM rooms WHERE room_id > $1 ORDER BY room_id LIMIT $2) AS rooms
        \(appended("rooms.room_id"))
        """)

    // The members of a new room are read in the order of the key, so at most as many as are shown. Times are microseconds,
    // as they are read back.
    static let append = PostgresStatement(
        """
        WITH placed AS MATERIALIZED (
            SELECT change_feed.head + row_number() OVER () AS position, rooms.room_id,
                coalesce(appended.to_seq + 1, 0) AS from_seq, rooms.last_seq AS to_seq,
                CASE WHEN appended.to_seq IS NULL THEN json_build_object(
                    'name', rooms.name, 'type', rooms.type, 'memberCount', rooms.member_count,
                    'actorId', coalesce(rooms.owner_id, 0),
                    'at', (extract(epoch FROM rooms.created_at) * 1000000)::bigint,
                    'members', (
                        SELECT coalesce(json_agg(json_build_array(member.user_id, member.role)), '[]')
                        FROM (
                            SELECT user_id, role FROM room_members WHERE room_id = rooms.room_id
                            ORDER BY user_id LIMIT \(RoomCreated.maximumMembers)
                        ) AS member
                    ))::text
                END AS created
            FROM change_feed
            CROSS JOIN unnest($2::text[]) AS asked (room_id)
            CROSS JOIN LATERAL (SELECT * FROM rooms WHERE room_id = asked.room_id LIMIT 1) AS rooms
            \(appended("rooms.room_id"))
            WHERE change_feed.holder = $1 AND \(isPending)
        ), inserted AS (
            INSERT INTO change_runs (position, room_id, from_seq, to_seq, mark, created)
            SELECT position, room_id, from_seq, to_seq, $3, created FROM placed
        )
        UPDATE change_feed
        SET head = head + placed.count, held_until = clock_timestamp() + \(interval("$4"))
        FROM (SELECT count(*) AS count FROM placed) AS placed
        WHERE holder = $1 AND placed.count > 0 RETURNING head
        """)
}

/// The stored form of a room's creation.
extension RoomCreated {
    /// Reads the text that ``ChangeSequenceRepository/append`` stores.
    init(stored text: String, roomID: RoomID) throws(PostgresError) {
        guard case .object(let object)? = try? JSONParser.parse(Array(text.utf8)),
            case .string(let name)? = object["name"], case .string(let type)? = object["type"],
            let memberCount = Self.integer(object["memberCount"]), let actorID = Self.integer(object["actorId"]),
            let at = Self.integer(object["at"]), case .array(let members)? = object["members"]
        else { throw .decoding("a room's creation is never '\(text.prefix(100))'") }
        let read = members.compactMap { member -> Member? in
            guard case .array(let parts) = member, parts.count == 2, let userID = Self.integer(parts[0]),
                case .string(let role) = parts[1], let role = MemberRole(rawValue: role)
            else { return nil }
            return Member(userID: UserID(userID), role: role)
        }
        self.init(
            roomID: roomID, name: name, type: type, memberCount: Int(memberCount), members: read,
            actorID: actorID == 0 ? nil : UserID(actorID), at: Timestamp(microseconds: at))
    }

    private static func integer(_ value: JSONValue?) -> Int64? {
        if case .number(let text)? = value { Int64(text) } else { nil }
    }
}
