import ChatStorage
import CommonUtil
import Logging
import NIOCore

/// Gives the sessions of users cursors. Confined to the feeds' event loop.
///
/// One stored snapshot serves all sessions of the server. A session is given it once everything that is visible in it was
/// sent: every feed has reached the head that its room had after the snapshot, and every change of the user's memberships
/// was sent.
final class RoomListCursorIssuer {
    /// Interval between two snapshots, while something happens.
    private static let interval = TimeAmount.seconds(4)
    /// A new session is given the last snapshot, up to this age: what came since is sent twice at most.
    private static let maximumAge = TimeAmount.seconds(10)
    /// How long the feeds have to reach the heads of a snapshot, and how often that is looked at.
    private static let catchUpWait = (checks: 30, pause: TimeAmount.milliseconds(100))

    private let users: UserFeeds
    private let sessions: ChatRoomSessionManager
    private let directory: any UserDirectory
    private let log: any RoomLog
    private let logger: Logger
    private var last: (snapshotID: ListSnapshotID, at: NIODeadline)?
    private var taking: EventLoopFuture<ListSnapshotID>?
    private var timer: RepeatedTask?
    private var isOffering = false
    /// What had happened at the last snapshot.
    private var seenCount = 0

    private var eventLoop: any EventLoop { users.eventLoop }

    init(
        users: UserFeeds, sessions: ChatRoomSessionManager, directory: any UserDirectory, log: any RoomLog,
        logger: Logger
    ) {
        self.users = users
        self.sessions = sessions
        self.directory = directory
        self.log = log
        self.logger = logger
    }

    /// A recent snapshot.
    func recent() -> EventLoopFuture<ListSnapshotID> {
        if let last, eventLoop.now - last.at < Self.maximumAge {
            return eventLoop.makeSucceededFuture(last.snapshotID)
        }
        return take()
    }

    private func take() -> EventLoopFuture<ListSnapshotID> {
        if let taking { return taking }
        let now = eventLoop.now
        let snapshot = eventLoop.makeFutureWithTask { [directory] in try await directory.takeSnapshot() }
        taking = snapshot
        snapshot.assumeIsolated().whenComplete { result in
            self.taking = nil
            if case .success(let snapshotID) = result { self.last = (snapshotID, now) }
        }
        return snapshot
    }

    // MARK: At intervals

    /// Starts to give cursors.
    func start() {
        let cursors = NIOLoopBound(self, eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { _ in
            cursors.value.turn()
        }
    }

    /// Stops to give cursors.
    func stop() { timer?.cancel() }

    private func turn() {
        guard !users.isEmpty, !isOffering else { return }
        let count = users.sentCount + users.feeds.dispatchCount
        guard count != seenCount else {
            // Some sessions may not have been due at the last turn.
            return sessions.offerCursors()
        }
        isOffering = true
        take().assumeIsolated().whenComplete { result in
            guard case .success(let snapshotID) = result else {
                self.isOffering = false
                return
            }
            self.seenCount = count
            self.readHeads(snapshotID)
        }
    }

    /// Reads heads and versions after the snapshot was taken. They include everything that is visible in the snapshot.
    private func readHeads(_ snapshotID: ListSnapshotID) {
        let roomIDs = Array(users.feeds.positions.keys)
        let userIDs = Array(Set(users.all.map(\.userID)))
        eventLoop.makeFutureWithTask { [log, directory] in
            (try await log.allHeads(of: roomIDs), try await UserFeeds.versions(of: userIDs, directory))
        }.assumeIsolated().whenComplete { result in
            switch result {
            case .success((let heads, let versions)):
                self.offer(snapshotID, heads: heads, versions: versions, checks: Self.catchUpWait.checks)
            case .failure(let error):
                self.isOffering = false
                // Else the next turn would find that nothing has changed since.
                self.seenCount = -1
                self.logger.debug("no cursors were given", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func offer(
        _ snapshotID: ListSnapshotID, heads: [RoomID: Seq], versions: [UserID: Int64], checks: Int
    ) {
        let feeds = users.feeds
        let lagging = heads.filter { roomID, head in feeds.position(of: roomID).map { $0 < head } ?? false }
        guard lagging.isEmpty || checks == 0 else {
            eventLoop.assumeIsolated().scheduleTask(in: Self.catchUpWait.pause) {
                self.offer(snapshotID, heads: lagging, versions: versions, checks: checks - 1)
            }
            return
        }
        isOffering = false
        // A room that lags behind delays the cursors of all users; the next turn tries again.
        guard lagging.isEmpty else {
            seenCount = -1
            return
        }
        var recipients: [Int: [NIOLoopBound<ChatSession>]] = [:]
        for feed in users.all {
            // A feed that is being updated raises `sentCount` when it is done, so the next turn offers its session a
            // cursor.
            guard let version = feed.sentVersion, version >= versions[feed.userID] ?? 0 else { continue }
            recipients[feed.shard, default: []].append(feed.session)
        }
        for (shard, recipients) in recipients { sessions.offer(snapshotID, to: recipients, onShard: shard) }
    }
}
