import ChatEvents
import CommonUtil
import NIOCore

/// Follows the memberships of a user for one session. Confined to the feeds' event loop.
final class UserFeed {
    /// Something that needs the database.
    enum Work: Equatable {
        case synchronize(SyncRequest)
        case send(UserChange)
        case compare
        /// The log of this room was set back.
        case reset(RoomID)
    }

    let userID: UserID
    /// Index of the session's event loop among the server's.
    let shard: Int
    let session: NIOLoopBound<ChatSession>
    /// Rooms whose feeds are kept open.
    var rooms = RoomTable<RoomID>()
    var changes = UserChangeQueue()
    private var request: SyncRequest?
    private var resets: Set<RoomID> = []
    /// Whether work is being done. A session's updates are made one after the other.
    var isWorking = false
    private(set) var hasEnded = false

    init(userID: UserID, shard: Int, session: NIOLoopBound<ChatSession>) {
        self.userID = userID
        self.shard = shard
        self.session = session
    }

    /// Takes what the client asked for.
    func synchronize(_ request: SyncRequest) { self.request = request }

    /// Notes that a room's log was set back.
    func noteReset(_ roomID: RoomID) { resets.insert(roomID) }

    /// The user's version up to which everything was sent; `nil` during an update.
    var sentVersion: Int64? { isWorking || !resets.isEmpty ? nil : changes.version }

    /// Takes the next work.
    func nextWork() -> Work? {
        if hasEnded { return nil }
        if let request = request.take() { return .synchronize(request) }
        if let roomID = resets.popFirst() { return .reset(roomID) }
        switch changes.next() {
        case .send(let change): return .send(change)
        case .compare: return .compare
        case .wait: return nil
        }
    }

    /// Ends the feed.
    /// - Returns: the rooms whose feeds were kept open.
    func end() -> [RoomID] {
        hasEnded = true
        defer { rooms = RoomTable() }
        return rooms.elements
    }
}
