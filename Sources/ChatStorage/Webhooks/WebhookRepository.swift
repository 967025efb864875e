import ChatEvents
import CommonUtil
import PostgresClient

/// Webhooks, as those who own them see and change them.
public struct WebhookRepository: Sendable {
    /// Webhooks of an installation.
    public static let maximumCount = 100
    /// Attempts that are kept of each.
    public static let maximumAttempts = 100

    let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// What is to be changed; `nil` leaves it as it is.
    public struct Change: Sendable {
        /// Where deliveries are posted to.
        public var url: String?
        /// The only types that are delivered.
        public var types: Set<EventType>?
        /// The only rooms whose events are delivered.
        public var roomIDs: Set<RoomID>?
        /// Signs from now on; the former one signs beside it for a day.
        public var secret: [UInt8]?
        /// Takes ``types`` away, so that events of all types are delivered.
        public var clearsTypes: Bool
        /// Takes ``roomIDs`` away, so that events of all rooms are delivered.
        public var clearsRoomIDs: Bool

        /// Describes a change.
        public init(
            url: String? = nil, types: Set<EventType>? = nil, roomIDs: Set<RoomID>? = nil, secret: [UInt8]? = nil,
            clearsTypes: Bool = false, clearsRoomIDs: Bool = false
        ) {
            self.url = url
            self.types = types
            self.roomIDs = roomIDs
            self.secret = secret
            self.clearsTypes = clearsTypes
            self.clearsRoomIDs = clearsRoomIDs
        }
    }

    /// Makes a webhook.
    /// - Returns: `nil` if there are ``maximumCount`` webhooks already.
    public func insert(
        _ webhookID: String, url: String, filter: ChangeFilter, secret: [UInt8], cursor: ChangePosition
    ) async throws -> Webhook? {
        // One after another, so that the number is exact.
        let rows = try await database.batch([
            PostgresCommand(Self.lock),
            PostgresCommand(
                Self.insert,
                [
                    .text(webhookID), .text(url), Self.types(filter.types), Self.rooms(filter.roomIDs), .bytea(secret),
                ] + cursor.parameters),
        ])
        return try rows.last?.first.map { try Webhook($0) }
    }

    /// All webhooks, in the order of their making.
    public func all() async throws -> [Webhook] { try await database.query(Self.selectAll).map { try Webhook($0) } }

    /// A webhook by its id.
    public func webhook(_ webhookID: String) async throws -> Webhook? {
        try await first(Self.select, [.text(webhookID)])
    }

    /// Changes a webhook. A secret that is replaced signs for another day.
    /// - Returns: `nil` if there is none.
    public func update(_ webhookID: String, _ change: Change) async throws -> Webhook? {
        try await first(
            Self.update,
            [
                .text(webhookID), .text(change.url), Self.types(change.types), Self.rooms(change.roomIDs),
                .bytea(change.secret), .bool(change.clearsTypes), .bool(change.clearsRoomIDs),
            ])
    }

    /// Removes a webhook with its attempts.
    /// - Returns: whether there was one.
    public func delete(_ webhookID: String) async throws -> Bool {
        try await !database.query(Self.delete, .text(webhookID)).isEmpty
    }

    /// Pauses a webhook, or lets it go on at once.
    /// - Returns: `nil` if there is none.
    public func setPaused(_ webhookID: String, _ isPaused: Bool) async throws -> Webhook? {
        try await first(isPaused ? Self.pause : Self.resume, [.text(webhookID)])
    }

    /// Delivers again what comes after a place.
    /// - Returns: whether there is such a webhook.
    public func replay(_ webhookID: String, after place: ChangePosition) async throws -> Bool {
        try await !database.query(Self.replay, [.text(webhookID)] + place.parameters).isEmpty
    }

    /// The last attempts, newest first.
    public func attempts(of webhookID: String) async throws -> [WebhookAttempt] {
        try await database.query(Self.selectAttempts, .text(webhookID)).map { row in
            WebhookAttempt(
                deliveryID: try row.decode(column: 0), at: try row.timestamp(column: 1),
                status: try row.decode(column: 2, as: Int?.self), error: try row.decode(column: 3),
                duration: .milliseconds(try row.decode(column: 4, as: Int64.self)),
                items: try row.decode(column: 5), from: try ChangePosition(row, from: 6),
                to: try ChangePosition(row, from: 9))
        }
    }

    private func first(_ statement: PostgresStatement, _ parameters: [PostgresParameter]) async throws -> Webhook? {
        try await database.query(statement, parameters).first.map { try Webhook($0) }
    }

    private static func types(_ types: Set<EventType>?) -> PostgresParameter {
        .textArray(types.map { $0.map(\.rawValue).sorted() })
    }

    private static func rooms(_ roomIDs: Set<RoomID>?) -> PostgresParameter {
        .textArray(roomIDs.map { $0.map(\.rawValue).sorted() })
    }
}

// MARK: SQL

extension WebhookRepository {
    /// "webhook" in ASCII.
    private static let lock = PostgresStatement("SELECT pg_advisory_xact_lock(\(0x77_6562_686F_6F6B as Int64))")
    private static let insert = PostgresStatement(
        """
        INSERT INTO webhooks (webhook_id, url, event_types, room_ids, secret, run, seq, mark)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE (SELECT count(*) FROM webhooks) < \(maximumCount)
        RETURNING \(Webhook.columns)
        """)
    private static let selectAll = PostgresStatement(
        "SELECT \(Webhook.columns) FROM webhooks ORDER BY created_at, webhook_id")
    private static let select = PostgresStatement("SELECT \(Webhook.columns) FROM webhooks WHERE webhook_id = $1")
    // Another filter makes another delivery of what is pending.
    private static let update = PostgresStatement(
        """
        UPDATE webhooks SET url = coalesce($2, url),
            event_types = CASE WHEN NOT $6 THEN coalesce($3, event_types) END,
            room_ids = CASE WHEN NOT $7 THEN coalesce($4, room_ids) END, secret = coalesce($5, secret),
            former_secret = CASE WHEN $5 IS NULL THEN former_secret ELSE secret END,
            former_until = CASE WHEN $5 IS NULL THEN former_until ELSE now() + interval '24 hours' END,
            delivery_id = CASE WHEN $3 IS NULL AND $4 IS NULL AND NOT $6 AND NOT $7 THEN delivery_id END, next_attempt_at = now()
        WHERE webhook_id = $1 RETURNING \(Webhook.columns)
        """)
    private static let delete = PostgresStatement("DELETE FROM webhooks WHERE webhook_id = $1 RETURNING true")
    private static let pause = PostgresStatement(
        """
        UPDATE webhooks SET paused_because = coalesce(paused_because, '\(Webhook.PauseReason.asked.rawValue)')
        WHERE webhook_id = $1 RETURNING \(Webhook.columns)
        """)
    private static let resume = PostgresStatement(
        """
        UPDATE webhooks SET paused_because = NULL, next_attempt_at = now()
        WHERE webhook_id = $1 RETURNING \(Webhook.columns)
        """)
    private static let replay = PostgresStatement(
        """
        UPDATE webhooks SET run = $2, seq = $3, mark = $4, delivery_id = NULL, next_attempt_at = now()
        WHERE webhook_id = $1 RETURNING true
        """)
    private static let selectAttempts = PostgresStatement(
        """
        SELECT delivery_id, at, status, error, duration_ms, items, from_run, from_seq, from_mark, to_run, to_seq, to_mark
        FROM webhook_attempts WHERE webhook_id = $1 ORDER BY attempt_id DESC LIMIT \(maximumAttempts)
        """)
}
