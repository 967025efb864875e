import CommonUtil
import PostgresClient

/// Webhooks, as the servers that deliver share them: each is delivered to by one server at a time, by a lease.
///
/// Whatever a server stores of a delivery it stores only while it holds the lease and the delivery is still the pending one.
/// So a server that was suspended changes nothing when it wakes up, and a replay is not overwritten.
public struct WebhookWorkRepository: Sendable {
    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Takes the leases of all webhooks that are not paused and that no other server holds, and extends this server's.
    /// - Parameter holder: the server, by a number that no other one has.
    /// - Returns: the ids of the webhooks that this server delivers to.
    public func acquire(_ holder: Int64, for duration: Duration) async throws -> Set<String> {
        let parameters: [PostgresParameter] = [.int8(holder), .int8(Int64(duration / .microseconds(1)))]
        let rows = try await database.batch([
            PostgresCommand(Self.extend, parameters), PostgresCommand(Self.takeOver, parameters),
        ])
        return Set(try rows.joined().map { try $0.decode(column: 0, as: String.self) })
    }

    /// Gives all leases of a server up.
    public func release(_ holder: Int64) async throws { _ = try await database.query(Self.release, .int8(holder)) }

    /// A webhook that this server delivers to.
    /// - Returns: `nil` if the lease was lost, and where the webhook is paused or removed.
    public func work(_ webhookID: String, holder: Int64) async throws -> WebhookWork? {
        guard let row = try await database.query(Self.select, .text(webhookID), .int8(holder)).first else { return nil }
        let column = Webhook.columnCount
        let secret = try row.decode(column: column, as: [UInt8].self)
        let former = try row.decode(column: column + 1, as: [UInt8]?.self)
        let pending = try row.decode(column: column + 2, as: String?.self).map { deliveryID in
            PendingDelivery(deliveryID: deliveryID, end: try ChangePosition(row, from: column + 3))
        }
        return WebhookWork(
            webhook: try Webhook(row), secrets: [secret] + (former.map { [$0] } ?? []), pending: pending,
            wait: .milliseconds(try row.decode(column: column + 6, as: Int64.self)))
    }

    /// Begins a delivery, before the first attempt.
    /// - Returns: whether the lease still holds and the webhook is where it was.
    public func begin(
        _ delivery: PendingDelivery, of webhookID: String, after cursor: ChangePosition, holder: Int64
    ) async throws -> Bool {
        try await !database.query(
            Self.begin,
            [.text(webhookID), .int8(holder), .text(delivery.deliveryID)] + delivery.end.parameters + cursor.parameters
        ).isEmpty
    }

    /// Moves on over events that the webhook does not want.
    public func advance(
        _ webhookID: String, from cursor: ChangePosition, to place: ChangePosition, holder: Int64
    ) async throws {
        _ = try await database.query(
            Self.advance, [.text(webhookID), .int8(holder)] + place.parameters + cursor.parameters)
    }

    /// What follows an attempt.
    public enum Outcome: Equatable, Sendable {
        case delivered
        case failed(retryAfter: Duration)
        /// The receiver wants no more.
        case gone
    }

    /// Stores an attempt and what follows it.
    /// - Returns: whether the lease still holds and the delivery is still the pending one; nothing is stored otherwise.
    @discardableResult
    public func finish(
        _ attempt: WebhookAttempt, of webhookID: String, _ outcome: Outcome, holder: Int64
    ) async throws -> Bool {
        var retryAfter: Duration?
        if case .failed(let delay) = outcome { retryAfter = delay }
        let parameters: [PostgresParameter] =
            [.text(webhookID), .int8(holder), .text(attempt.deliveryID), .bool(outcome == .delivered)]
            + [.bool(outcome == .gone), .int8(retryAfter.map { Int64($0 / .milliseconds(1)) } ?? 0)]
            + [.text(attempt.error), .timestamptz(attempt.at), .int4(attempt.status.map { Int32(clamping: $0) })]
            + [.int8(Int64(attempt.duration / .milliseconds(1))), .int4(Int32(clamping: attempt.items))]
            + attempt.from.parameters + attempt.to.parameters
        let rows = try await database.batch([
            PostgresCommand(Self.finish, parameters), PostgresCommand(Self.trim, .text(webhookID)),
        ])
        return rows.first?.isEmpty == false
    }
}

// MARK: SQL

extension WebhookWorkRepository {
    // Waits for rows that are locked: this server's own deliveries lock them all the time.
    private static let extend = PostgresStatement(
        """
        UPDATE webhooks SET held_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
        WHERE paused_because IS NULL AND holder = $1
        RETURNING webhook_id
        """)
    private static let takeOver = PostgresStatement(
        """
        UPDATE webhooks SET holder = $1, held_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
        WHERE webhook_id IN (
            SELECT webhook_id FROM webhooks
            WHERE paused_because IS NULL AND (holder IS NULL OR holder <> $1 AND held_until < clock_timestamp())
            FOR NO KEY UPDATE SKIP LOCKED
        ) RETURNING webhook_id
        """)
    private static let release = PostgresStatement("UPDATE webhooks SET holder = NULL WHERE holder = $1")
    private static let select = PostgresStatement(
        """
        SELECT \(Webhook.columns), secret, CASE WHEN former_until > now() THEN former_secret END,
            delivery_id, delivery_run, delivery_seq, delivery_mark,
            (extract(epoch FROM next_attempt_at - clock_timestamp()) * 1000)::bigint
        FROM webhooks WHERE webhook_id = $1 AND holder = $2 AND paused_because IS NULL
        """)
    private static let begin = PostgresStatement(
        """
        UPDATE webhooks SET delivery_id = $3, delivery_run = $4, delivery_seq = $5, delivery_mark = $6
        WHERE webhook_id = $1 AND holder = $2 AND delivery_id IS NULL AND run = $7 AND seq = $8 AND mark = $9
        RETURNING true
        """)
    private static let advance = PostgresStatement(
        """
        UPDATE webhooks SET run = $3, seq = $4, mark = $5
        WHERE webhook_id = $1 AND holder = $2 AND delivery_id IS NULL AND run = $6 AND seq = $7 AND mark = $8
        """)
    private static let finish = PostgresStatement(
        """
        WITH changed AS (
            UPDATE webhooks SET
                run = CASE WHEN $4 THEN $15 ELSE run END, seq = CASE WHEN $4 THEN $16 ELSE seq END,
                mark = CASE WHEN $4 THEN $17 ELSE mark END,
                delivery_id = CASE WHEN $4 THEN NULL ELSE delivery_id END,
                failures = CASE WHEN $4 THEN 0 ELSE failures + 1 END,
                paused_because = CASE WHEN $5 THEN '\(Webhook.PauseReason.gone.rawValue)' ELSE paused_because END,
                next_attempt_at = clock_timestamp() + $6::bigint * interval '1 millisecond',
                last_error = $7, last_attempt_at = $8
            WHERE webhook_id = $1 AND holder = $2 AND delivery_id = $3 RETURNING webhook_id
        )
        INSERT INTO webhook_attempts (webhook_id, delivery_id, at, status, error, duration_ms, items,
            from_run, from_seq, from_mark, to_run, to_seq, to_mark)
        SELECT webhook_id, $3, $8, $9, $7, $10, $11, $12, $13, $14, $15, $16, $17 FROM changed RETURNING true
        """)
    private static let trim = PostgresStatement(
        """
        DELETE FROM webhook_attempts WHERE attempt_id IN (
            SELECT attempt_id FROM webhook_attempts WHERE webhook_id = $1
            ORDER BY attempt_id DESC OFFSET \(WebhookRepository.maximumAttempts)
        )
        """)
}
