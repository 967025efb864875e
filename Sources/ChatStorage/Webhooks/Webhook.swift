import ChatEvents
import CommonUtil
import PostgresClient

/// A subscription to the feed of changes whose events are posted to a URL.
public struct Webhook: Equatable, Sendable {
    /// What becomes of its deliveries.
    public enum State: String, CaseIterable, Sendable {
        case active, failing, paused
    }

    /// Why it is paused.
    public enum PauseReason: String, CaseIterable, Sendable {
        /// The receiver answered 410.
        case gone
        /// By `POST …/pause`.
        case asked
    }

    public let webhookID: String
    /// Where deliveries are posted to.
    public let url: String
    /// Which events are delivered.
    public let filter: ChangeFilter
    /// `nil` unless it is paused.
    public let pausedBecause: PauseReason?
    /// Failed attempts since the last success.
    public let failures: Int
    /// Everything up to there has been delivered.
    public let cursor: ChangePosition
    /// Why the last attempt failed, for people; `nil` after a success.
    public let lastError: String?
    /// When the last attempt began; `nil` before the first.
    public let lastAttemptAt: Timestamp?
    public let createdAt: Timestamp

    /// What its owner is shown: paused goes before failing.
    public var state: State { pausedBecause != nil ? .paused : failures > 0 ? .failing : .active }
}

/// A delivery that was begun: its id is the same for each attempt, by whichever server.
public struct PendingDelivery: Equatable, Sendable {
    public let deliveryID: String
    /// The place of its last event.
    public let end: ChangePosition

    /// Describes a delivery.
    public init(deliveryID: String, end: ChangePosition) {
        self.deliveryID = deliveryID
        self.end = end
    }
}

/// A webhook as the server that delivers to it reads it.
public struct WebhookWork: Equatable, Sendable {
    public let webhook: Webhook
    /// The secrets that sign, the present one first; the former one for a day after it was replaced.
    public let secrets: [[UInt8]]
    /// The delivery that is begun and has no success yet.
    public let pending: PendingDelivery?
    /// Time until the next attempt, by the clock of the database; zero or less where it is due.
    public let wait: Duration
}

/// An attempt to deliver.
public struct WebhookAttempt: Equatable, Sendable {
    public let deliveryID: String
    public let at: Timestamp
    /// The status of the answer; `nil` if there was none.
    public let status: Int?
    /// Why it failed, for people; `nil` after a success.
    public let error: String?
    /// Until the answer or the failure, the way to the receiver included.
    public let duration: Duration
    /// The number of events.
    public let items: Int
    /// The cursors before the first and at the last event.
    public let from: ChangePosition
    public let to: ChangePosition

    /// Describes an attempt.
    public init(
        deliveryID: String, at: Timestamp, status: Int?, error: String?, duration: Duration, items: Int,
        from: ChangePosition, to: ChangePosition
    ) {
        self.deliveryID = deliveryID
        self.at = at
        self.status = status
        self.error = error
        self.duration = duration
        self.items = items
        self.from = from
        self.to = to
    }
}

// MARK: Rows

extension ChangePosition {
    /// Reads three columns: run, seq and mark.
    init(_ row: PostgresRow, from column: Int) throws(PostgresError) {
        self.init(
            run: try row.decode(column: column), seq: try row.decode(column: column + 1),
            mark: try row.decode(column: column + 2))
    }

    /// The parameters of the three columns.
    var parameters: [PostgresParameter] { [.int8(run), .int8(seq), .int8(mark)] }
}

extension Webhook {
    static let columns = """
        webhooks.webhook_id, webhooks.url, webhooks.event_types, webhooks.room_ids, webhooks.paused_because,
        webhooks.failures, webhooks.run, webhooks.seq, webhooks.mark, webhooks.last_error, webhooks.last_attempt_at,
        webhooks.created_at
        """
    static let columnCount = 12

    init(_ row: PostgresRow) throws(PostgresError) {
        let types = try row.decode(column: 2, as: [String]?.self)
        let roomIDs = try row.decode(column: 3, as: [String]?.self)
        self.init(
            webhookID: try row.decode(column: 0), url: try row.decode(column: 1),
            filter: ChangeFilter(
                roomIDs: roomIDs.map { Set($0.map { RoomID(verified: $0) }) },
                types: types.map { Set($0.compactMap(EventType.init(rawValue:))) }),
            pausedBecause: try row.optionalEnumValue(column: 4), failures: try row.decode(column: 5),
            cursor: try ChangePosition(row, from: 6), lastError: try row.decode(column: 9),
            lastAttemptAt: try row.optionalTimestamp(column: 10), createdAt: try row.timestamp(column: 11))
    }
}
