import ChatEvents
import ChatStorage
import CommonAuth
import CommonUtil
import Logging
import NIOCore

/// Begins sessions of users, and finds what Redis did not bring them. May be called on any event loop of the server.
struct UserSessionService: Sendable {
    /// Database reads for these sessions that run at once. Admissions get connections even when a thousand sessions
    /// return.
    private static let reads = 8

    private let users: NIOLoopBound<UserFeeds>
    private let cursors: NIOLoopBound<RoomListCursorIssuer>

    /// To be called on the feeds' event loop.
    init(
        feeds: RoomFeeds, sessions: ChatRoomSessionManager, directory: any UserDirectory, log: any RoomLog,
        logger: Logger
    ) {
        let eventLoop = feeds.eventLoop
        let users = UserFeeds(eventLoop: eventLoop, feeds: feeds, directory: directory, logger: logger)
        self.users = NIOLoopBound(users, eventLoop: eventLoop)
        cursors = NIOLoopBound(
            RoomListCursorIssuer(users: users, sessions: sessions, directory: directory, log: log, logger: logger),
            eventLoop: eventLoop)
        users.updater = UserSessionUpdater(
            directory: directory, log: log, users: self.users, cursors: cursors, sessions: sessions,
            readLimiter: AsyncSemaphore(limit: Self.reads), logger: logger)
    }

    /// Starts to give cursors. To be called on the feeds' event loop.
    func start() { cursors.value.start() }

    /// Stops to give cursors. To be called on the feeds' event loop.
    func stop() { cursors.value.stop() }

    /// Finds changes whose push was lost. To be called at intervals, on the feeds' event loop.
    func compareVersions() { users.value.compareVersions() }

    /// Begins a session: from here on no change of the user's rooms is missed. To be called on the session's event loop.
    func begin(
        _ admission: UserAdmission, transport: any SessionTransport, on eventLoop: any EventLoop
    ) -> UserSessionHandle {
        UserSessionHandle(admission, transport: transport, users: users, eventLoop: eventLoop)
    }
}

/// A session of a user and its feed, for the handler of its connection. Confined to the session's event loop.
final class UserSessionHandle {
    let session: ChatSession
    private let users: NIOLoopBound<UserFeeds>
    private let feed: NIOLoopBoundBox<UserFeed>

    init(
        _ admission: UserAdmission, transport: any SessionTransport, users: NIOLoopBound<UserFeeds>,
        eventLoop: any EventLoop
    ) {
        let link = UserFeedReference(users: users)
        session = ChatSession(
            admission: admission, transport: transport, user: UserSession { link.roomLost($0, $1) })
        let bound = NIOLoopBound(session, eventLoop: eventLoop)
        let (userID, shard) = (admission.user.userID, admission.shard)
        feed = .makeBoxSendingValue(
            UserFeed(userID: userID, shard: shard, session: bound), eventLoop: users.eventLoop)
        self.users = users
        link.feed = feed
        onFeeds { $0.begin($1) }
    }

    /// The first frame.
    var ready: ByteBuffer {
        session.format.encode(
            UserSessionEvent.ready(
                sessionID: session.id.description, session.userID ?? UserID(0),
                heartbeatSeconds: session.heartbeat.interval.components.seconds))
    }

    /// Sends the session what its client asked for.
    func synchronize(_ request: SyncRequest) { onFeeds { $0.synchronize($1, request) } }

    /// Ends what the initializer began.
    func end() { onFeeds { $0.end($1) } }

    private func onFeeds(_ body: @escaping @Sendable (UserFeeds, UserFeed) -> Void) {
        users.eventLoop.execute { [users, feed] in body(users.value, feed.value) }
    }
}

/// The way from a session to its feed, which is made after it.
private final class UserFeedReference {
    let users: NIOLoopBound<UserFeeds>
    var feed: NIOLoopBoundBox<UserFeed>?

    init(users: NIOLoopBound<UserFeeds>) { self.users = users }

    func roomLost(_ roomID: RoomID, _ loss: UserSession.RoomLoss) {
        guard let feed else { return }
        users.eventLoop.execute { [users] in users.value.roomLost(roomID, loss, feed.value) }
    }
}

/// The lists of users' rooms, wherever they are stored.
protocol UserDirectory: Sendable {
    /// Stores a snapshot of the database, for cursors.
    func takeSnapshot() async throws -> ListSnapshotID

    /// A user's rooms, and which of them changed since a cursor.
    /// - Parameter withSeqAtCursor: whether to find the rooms' heads as of the cursor.
    func list(of userID: UserID, since cursor: RoomListCursor?, withSeqAtCursor: Bool) async throws -> RoomList

    /// Those of some rooms that are the user's, newest activity first.
    func rooms(of userID: UserID, in roomIDs: [RoomID]) async throws -> [ListedRoom]

    /// How far a user has read rooms, each with the last `seq` that counts.
    func readStates(of userID: UserID, in asked: [(roomID: RoomID, upTo: Seq)]) async throws -> [RoomReadState]

    /// The present versions of users.
    func versions(of userIDs: [UserID]) async throws -> [UserID: Int64]

    /// The present memberships of a user.
    func memberships(of userID: UserID) async throws -> UserMemberships

    /// Reads where logs are; `nil` if there is no such room.
    func positions(at asked: [(roomID: RoomID, seq: Seq)]) async throws -> [LogPosition?]
}
