import ChatEventBus
import ChatEvents
import CommonUtil

/// The rooms' logs, wherever they are kept.
protocol RoomLog: Sendable {
    /// Events after a cursor, ascending and without a gap; at most `limit`, and whether there are more.
    func events(of roomID: RoomID, after seq: Seq, limit: Int) async throws -> (events: [MessageEvent], hasMore: Bool)
    /// The heads of these rooms' logs.
    func heads(of roomIDs: [RoomID]) async throws -> [RoomID: Seq]
}

/// Who may come into which room.
protocol RoomDirectory: Sendable {
    /// What holds right now for so many rooms and users, in order; `nil` where there is no such room.
    func entries(_ asked: [(roomID: RoomID, userID: UserID?)]) async throws -> [RoomEntry?]
    /// Marks a room read, forward only and never beyond its head.
    /// - Returns: what to tell the others, if anything.
    /// - Throws: `ChatError` for one who may not.
    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> ReadReceipt?
    /// Makes a public room named by its id, unless it is there (`trusted` mode).
    func makeOpenRoom(_ roomID: RoomID) async throws
}
