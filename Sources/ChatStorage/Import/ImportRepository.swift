import ChatEvents
import CommonUtil
import PostgresClient

/// Stores the lines of an import, a batch at a time.
///
/// A batch is one transaction of a few round trips, whatever its lines: it locks the rooms and the users in key order, reads what the
/// lines name, decides (``ImportPlan``) and writes what differs, each table by one statement. A batch that meets another
/// transaction at a unique key or in a circle of locks is decided again.
public struct ImportRepository: Sendable {
    /// What has become of a batch that is committed.
    public struct Committed: Sendable {
        /// One for each line.
        public let outcomes: [ImportOutcome]
        /// The rooms that were made, with or without events.
        public let newRooms: [RoomID]
        /// The last new event of each room, to be published: who receives it reads those before it from the log.
        public let events: [RoomEvent]
        /// Changes of users' lists of rooms, to be published after the events. A user who has joined several rooms has
        /// one that leaves out a version: sockets that receive it compare the list.
        public let userChanges: [UserChange]
        /// The sign-ins of users who are disabled now, to be announced.
        public let ended: [SignInRepository.Ended]
    }

    let database: ChatDatabase
    private let rules: ImportPlan.Rules

    /// - Parameters:
    ///   - authMode: in `trusted` mode any id is a user's, registered or not.
    ///   - limits: on the members of a room.
    public init(_ database: ChatDatabase, authMode: AuthMode, limits: RoomLimits) {
        self.database = database
        rules = ImportPlan.Rules(authMode: authMode, limits: limits)
    }

    /// Stores a batch. It can be stored again: what is there already stays the same.
    /// - Parameter run: the import that the lines belong to.
    /// - Throws: `unavailable` (503), also if it is not known whether the batch was stored.
    public func commit(_ lines: [ImportLine], of run: ImportRun) async throws -> Committed {
        try await database.withRepeatedTransaction { [rules] transaction in
            let plan = ImportPlan(lines, in: try await ImportReading(lines).state(transaction), rules)
            guard !plan.isEmpty else {
                return Committed(outcomes: plan.outcomes, newRooms: [], events: [], userChanges: [], ended: [])
            }
            return try await ImportWriting(plan: plan, run: run).write(transaction)
        }
    }
}

/// One import, from its first line to its end.
public struct ImportRun: Sendable {
    let id = Int64.random(in: 1...Int64.max)

    /// Begins an import.
    public init() {}
}

// MARK: - Marks that are read to the end

extension ImportRepository {
    /// Members whose marks are moved in one transaction.
    private static let marksAtATime = 1_000

    /// Moves the marks of the members who have read everything, once all lines are stored.
    public func finish(_ run: ImportRun) async throws {
        var count: Int
        repeat {
            count = try await database.withRepeatedTransaction { transaction in
                let row = try await transaction.query(
                    Self.moveMarks, .int8(run.id), .int8(Self.marksAtATime)
                ).first
                return try row?.decode(column: 0, as: Int.self) ?? 0
            }
        } while count == Self.marksAtATime
    }

    /// Removes what imports have left that were broken off long ago.
    public func deleteAbandonedReads() async throws { _ = try await database.query(Self.deleteRemains) }

    // Rows are deleted by their places, which no other transaction changes: by key, each step would read all rows of the run.
    // As in `RoomRepository.updateRead`, nothing is written where the mark does not move.
    private static let moveMarks = PostgresStatement(
        """
        WITH due AS (
            DELETE FROM import_reads WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM import_reads WHERE run_id = $1 ORDER BY room_id, user_id LIMIT $2
            )) RETURNING room_id, user_id
        ), place AS (
            SELECT due.room_id, due.user_id, rooms.last_seq, \(StoredMark.sql(of: "member", user: "due.user_id")) AS mark
            FROM due
            CROSS JOIN LATERAL (SELECT last_seq FROM rooms WHERE room_id = due.room_id LIMIT 1) AS rooms
            CROSS JOIN LATERAL (
                SELECT room_id, last_read_seq, joined_seq FROM room_members
                WHERE room_id = due.room_id AND user_id = due.user_id LIMIT 1
            ) AS member
        ), moved AS (
            UPDATE room_members SET last_read_seq = place.last_seq FROM place
            WHERE room_members.room_id = place.room_id AND room_members.user_id = place.user_id
                AND room_members.last_read_seq < place.last_seq AND place.mark < place.last_seq
            RETURNING room_members.user_id
        ), raised AS (
            \(UserVersions.raise(of: "(SELECT DISTINCT user_id FROM moved) AS moved"))
        )
        SELECT count(*) FROM due
        """)
    private static let deleteRemains = PostgresStatement(
        "DELETE FROM import_reads WHERE noted_at < now() - interval '7 days'")
}
