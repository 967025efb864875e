import ChatEvents
import CommonUtil
import PostgresClient

/// Reads the feed of changes: its runs, and the events that they stand for.
///
/// Runs are appended by one server at a time, each transaction before the next, so a reader that sees a position sees all
/// that are lower, and none of them ever changes.
public struct ChangeRepository: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to read from.
    public init(_ database: ChatDatabase) { self.database = database }

    /// The runs after a place.
    public struct Page: Equatable, Sendable {
        /// The runs that a reader wants, ascending. The first can be the one at the place.
        public let runs: [ChangeRun]
        /// Whether the page is full: there can be further runs.
        public let isFull: Bool
        /// The end of the feed in the moment of reading.
        public let head: ChangePosition

        /// Describes a page.
        public init(runs: [ChangeRun], isFull: Bool, head: ChangePosition) {
            self.runs = runs
            self.isFull = isFull
            self.head = head
        }
    }

    /// The beginning and the end of the feed.
    public func bounds() async throws -> (begin: ChangePosition, head: ChangePosition) {
        guard let row = try await database.query(Self.selectBounds).first else { throw Self.noFeed }
        let (feedID, run, mark, seq) = try row.decode(Int64.self, Int64.self, Int64?.self, Int64?.self)
        let begin = ChangePosition(run: 0, seq: 0, mark: feedID)
        guard let mark, let seq else { return (begin, begin) }
        return (begin, ChangePosition(run: run, seq: seq, mark: mark))
    }

    /// The position of the last run; cheap, for those who wait for more.
    public func head() async throws -> Int64 {
        guard let row = try await database.query(Self.selectHead).first else { throw Self.noFeed }
        return try row.decode(column: 0)
    }

    /// Reads the runs after a place, of some rooms or of all.
    /// - Parameters:
    ///   - limit: of runs, the one at the place included.
    /// - Returns: `nil` if this feed has no such place.
    public func runs(after place: ChangePosition, in roomIDs: Set<RoomID>?, limit: Int) async throws -> Page? {
        let statement = roomIDs == nil ? Self.selectRuns : Self.selectRunsOfRooms
        let rooms: [PostgresParameter] = roomIDs.map { [.textArray($0.map(\.rawValue))] } ?? []
        let rows = try await database.query(statement, [.int8(place.run), .int8(limit)] + rooms)
        guard let first = rows.first else { throw Self.noFeed }
        let feedID = try first.decode(column: 0, as: Int64.self)
        // The run at the place, by which the place is known to be one of this feed.
        if place.run == 0 {
            guard place.mark == feedID, place.seq == 0 else { return nil }
        } else {
            guard let mark = try first.decode(column: 1, as: Int64?.self), mark == place.mark,
                (try first.decode(column: 2, as: Int64.self)...(try first.decode(column: 3, as: Int64.self)))
                    .contains(place.seq)
            else { return nil }
        }
        var head = ChangePosition(run: 0, seq: 0, mark: feedID)
        if let mark = try first.decode(column: 5, as: Int64?.self) {
            head = ChangePosition(
                run: try first.decode(column: 4), seq: try first.decode(column: 6), mark: mark)
        }
        let runs = try rows.compactMap { row -> ChangeRun? in
            guard let position = try row.decode(column: 7, as: Int64?.self) else { return nil }
            return ChangeRun(
                position: position, roomID: RoomID(verified: try row.decode(column: 8)),
                seqs: (try row.decode(column: 9, as: Seq.self))...(try row.decode(column: 10, as: Seq.self)),
                mark: try row.decode(column: 11))
        }
        return Page(runs: runs, isFull: runs.count >= limit, head: head)
    }

    /// An event with its place in the feed.
    public struct Item: Equatable, Sendable {
        /// The cursor behind the event.
        public let position: ChangePosition
        public let change: Change

        /// Describes an event.
        public init(position: ChangePosition, change: Change) {
            self.position = position
            self.change = change
        }
    }

    /// Reads the events of a window, with the present content of messages.
    /// - Parameters:
    ///   - types: the types that the reader wants; `nil` for all.
    ///   - limit: of events.
    public func items(of window: ChangeWindow, types: Set<EventType>?, limit: Int) async throws -> [Item] {
        guard !window.runs.isEmpty else { return [] }
        let rows = try await database.query(
            Self.selectItems, .int8Array(window.runs.map(\.position)), .textArray(window.runs.map(\.roomID.rawValue)),
            .int8Array(window.runs.map(\.seqs.lowerBound)), .int8Array(window.runs.map(\.seqs.upperBound)),
            .textArray((types ?? Set(Change.types)).map(\.rawValue)), .int8(limit))
        return try rows.map { row in
            let run = window.runs[try row.decode(column: 0, as: Int.self) - 1]
            let change: Change
            if let created = try row.decode(column: 1, as: String?.self) {
                change = .roomCreated(try RoomCreated(stored: created, roomID: run.roomID))
            } else {
                change = .event(try EventLog.event(row, from: 2, of: run.roomID))
            }
            return Item(position: run.position(at: change.seq), change: change)
        }
    }

    private static let noFeed = PostgresError.decoding("change_feed always has one row")
}

// MARK: SQL

extension ChangeRepository {
    static let selectHead = PostgresStatement("SELECT head FROM change_feed")
    static let selectBounds = PostgresStatement(
        """
        SELECT change_feed.feed_id, change_feed.head, last.mark, last.to_seq FROM change_feed
        \(run("last", at: "change_feed.head"))
        """)

    /// A join of at most one run, which stays a lookup by key under any statistics.
    private static func run(_ alias: String, at position: String) -> String {
        """
        LEFT JOIN LATERAL (
            SELECT from_seq, to_seq, mark FROM change_runs WHERE position = \(position) LIMIT 1
        ) AS \(alias) ON true
        """
    }

    /// One statement, so that the head and the runs are of one moment. The run at the place and the last one are looked up
    /// by key.
    private static func runs(_ source: String) -> PostgresStatement {
        PostgresStatement(
            """
            SELECT change_feed.feed_id, place.mark, place.from_seq, place.to_seq,
                change_feed.head, last.mark, last.to_seq,
                run.position, run.room_id, run.from_seq, run.to_seq, run.mark
            FROM change_feed
            \(run("place", at: "$1"))
            \(run("last", at: "change_feed.head"))
            LEFT JOIN LATERAL (
                \(source)
            ) AS run ON true
            ORDER BY run.position
            """)
    }
    private static let columns = "position, room_id, from_seq, to_seq, mark"

    static let selectRuns = runs(
        "SELECT \(columns) FROM change_runs WHERE position >= $1 ORDER BY position LIMIT $2")
    static let selectRunsOfRooms = runs(
        """
        SELECT found.* FROM unnest($3::text[]) AS asked (room_id)
        CROSS JOIN LATERAL (
            SELECT \(columns) FROM change_runs WHERE room_id = asked.room_id AND position >= $1
            ORDER BY position LIMIT $2
        ) AS found
        ORDER BY position LIMIT $2
        """)

    // Each part is read by its own index and stops after the limit, and contents are looked up for those that are left.
    static let selectItems = PostgresStatement(
        """
        SELECT log.ordinal, log.created, \(EventLog.columns)
        FROM (
            SELECT run.ordinal, log.*
            FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
                AS run (position, room_id, from_seq, to_seq, ordinal)
            CROSS JOIN LATERAL (
                (SELECT NULL AS created, seq, '\(EventType.message.rawValue)' AS type, NULL::bigint AS actor_id,
                    NULL::timestamptz AS at, NULL::bigint AS user_id, NULL AS role, NULL AS name, message_id
                FROM messages
                WHERE '\(EventType.message.rawValue)' = ANY ($5) AND room_id = run.room_id
                    AND seq BETWEEN run.from_seq AND run.to_seq
                ORDER BY seq LIMIT $6)
                UNION ALL
                (SELECT NULL, seq, type, actor_id, at, user_id, role, name, message_id
                FROM room_events
                WHERE room_id = run.room_id AND seq BETWEEN run.from_seq AND run.to_seq AND type = ANY ($5)
                ORDER BY seq LIMIT $6)
                UNION ALL
                (SELECT created, 0, '\(EventType.roomCreated.rawValue)', NULL, NULL, NULL, NULL, NULL, NULL
                FROM change_runs
                WHERE '\(EventType.roomCreated.rawValue)' = ANY ($5) AND run.from_seq = 0
                    AND position = run.position)
            ) AS log
            ORDER BY run.ordinal, log.seq LIMIT $6
        ) AS log
        LEFT JOIN messages ON messages.message_id = log.message_id
        ORDER BY log.ordinal, log.seq
        """)
}
