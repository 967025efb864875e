import ChatEventBus
import ChatEvents
import ChatStorage
import CommonUtil

/// The rooms' logs, wherever they are stored.
protocol RoomLog: Sendable {
    /// Reads events after a cursor, ascending and without a gap.
    /// - Parameter limit: of events in the page.
    func events(of roomID: RoomID, after seq: Seq, limit: Int) async throws -> EventPage

    /// Reads the heads of logs. Rooms that do not exist are absent.
    func heads(of roomIDs: [RoomID]) async throws -> [RoomID: Seq]

    /// Reads where logs are, and the marks of events. A room may be asked about many times.
    /// - Returns: in the order of `asked`; `nil` if there is no such room.
    func positions(at asked: [(roomID: RoomID, seq: Seq)]) async throws -> [LogPosition?]

    /// Connections to PostgreSQL that have broken so far. After one, a log may be another than the one that was read before:
    /// a standby that was promoted, or a backup that was restored.
    var interruptions: Int { get }
}

/// Bounds of queries by key.
enum QuerySize {
    /// Keys of one query; more are read in several.
    static let keys = 500
}

extension RoomLog {
    /// Reads the heads of any number of logs.
    func allHeads(of roomIDs: some Collection<RoomID>) async throws -> [RoomID: Seq] {
        var heads: [RoomID: Seq] = [:]
        for chunk in roomIDs.chunks(of: QuerySize.keys) { heads.merge(try await self.heads(of: chunk)) { $1 } }
        return heads
    }
}

/// A page of a log.
struct EventPage: Sendable {
    /// Ascending and without a gap.
    let events: [MessageEvent]
    /// Whether there are events after the page.
    let hasMore: Bool
    /// The mark of the event that the page was read after; `nil` if the log has none, and at 0.
    let mark: EventMark?
}

/// The rooms and their members.
protocol RoomDirectory: Sendable {
    /// Reads what decides whether users may have sessions of rooms, in the order of `asked`; `nil` if there is no such
    /// room.
    func authorizations(for asked: [RoomAccessQuery]) async throws -> [RoomAuthorization?]

    /// Marks a room read, forward only and never beyond its head.
    /// - Returns: the receipt to publish; `nil` if the mark did not move.
    /// - Throws: `ChatError` if the user may not read the room.
    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadReceipt?

    /// Makes a public room named by its id, unless it exists (`trusted` mode).
    func makeOpenRoom(_ roomID: RoomID) async throws
}
