import ChatEvents
import CommonUtil
import Logging
import NIOCore

/// The users that have sessions of all their rooms on this server. Receives changes of their memberships from Redis,
/// finds changes that Redis lost, and starts the updates of their sessions. Confined to the feeds' event loop.
final class UserFeeds {
    let eventLoop: any EventLoop
    let feeds: RoomFeeds
    private let directory: any UserDirectory
    private let logger: Logger
    private var users: [UserID: [ObjectIdentifier: UserFeed]] = [:]
    private var isComparing = false
    /// Tells sessions what the feeds find. Set once, before the first session.
    var updater: UserSessionUpdater?
    /// Number of updates of sessions.
    private(set) var sentCount = 0

    init(eventLoop: any EventLoop, feeds: RoomFeeds, directory: any UserDirectory, logger: Logger) {
        self.eventLoop = eventLoop
        self.feeds = feeds
        self.directory = directory
        self.logger = logger
        feeds.onUserChange = { [weak self] in self?.receive($0) }
        feeds.onInterruption = { [weak self] in self?.compareAll() }
    }

    /// All feeds.
    var all: some Sequence<UserFeed> { users.values.lazy.flatMap(\.values) }

    /// Whether there is any.
    var isEmpty: Bool { users.isEmpty }

    // MARK: Sessions

    /// Begins to follow a user for a session: from here on no change is missed.
    func begin(_ feed: UserFeed) {
        users[feed.userID, default: [:]][ObjectIdentifier(feed)] = feed
    }

    /// Sends a session what its client asked for.
    func synchronize(_ feed: UserFeed, _ request: SyncRequest) {
        feed.synchronize(request)
        work(feed)
    }

    /// Ends what ``begin(_:)`` began.
    func end(_ feed: UserFeed) {
        for roomID in feed.end() { feeds.release(roomID, shard: feed.shard) }
        users[feed.userID]?[ObjectIdentifier(feed)] = nil
        if users[feed.userID]?.isEmpty == true { users[feed.userID] = nil }
    }

    /// Handles that a session has lost a room.
    func roomLost(_ roomID: RoomID, _ loss: UserSession.RoomLoss, _ feed: UserFeed) {
        guard !feed.hasEnded else { return }
        switch loss {
        case .removed:
            release(roomID, feed)
            // The user may have become a member again before this was known.
            feed.changes.requireComparison()
        case .reset:
            feed.noteReset(roomID)
        }
        work(feed)
    }

    /// Lets a room's feed close that a session needs no more.
    func release(_ roomID: RoomID, _ feed: UserFeed) {
        if feed.rooms.remove(roomID) != nil { feeds.release(roomID, shard: feed.shard) }
    }

    // MARK: Changes

    private func receive(_ change: UserChange) {
        for feed in (users[change.userID] ?? [:]).values {
            feed.changes.receive(change)
            work(feed)
        }
    }

    /// Requests a comparison of all users' memberships, since PostgreSQL was away and may have been set back.
    func compareAll() {
        for feed in all {
            feed.changes.requireComparison()
            work(feed)
        }
    }

    /// Reads the versions of all users, to find changes whose push was lost. To be called at intervals.
    func compareVersions() {
        guard !isComparing, !users.isEmpty else { return }
        isComparing = true
        let userIDs = Array(users.keys)
        eventLoop.makeFutureWithTask { [directory] in
            try await Self.versions(of: userIDs, directory)
        }.assumeIsolated().whenComplete { versions in
            self.isComparing = false
            switch versions {
            case .success(let versions): self.note(versions)
            case .failure(let error):
                self.logger.debug("the users' versions could not be read", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Reads the versions of users.
    static func versions(of userIDs: [UserID], _ directory: any UserDirectory) async throws -> [UserID: Int64] {
        var versions: [UserID: Int64] = [:]
        for chunk in userIDs.chunks(of: QuerySize.keys) {
            versions.merge(try await directory.versions(of: chunk)) { $1 }
        }
        return versions
    }

    private func note(_ versions: [UserID: Int64]) {
        for feed in all {
            guard let version = versions[feed.userID] else { continue }
            feed.changes.noteVersion(version)
            work(feed)
        }
    }

    // MARK: Work

    /// Makes a session's updates, one after the other.
    private func work(_ feed: UserFeed) {
        guard !feed.isWorking, let updater, let work = feed.nextWork() else { return }
        feed.isWorking = true
        let bound = NIOLoopBound(feed, eventLoop: eventLoop)
        let recipient = UserSessionUpdater.Recipient(
            userID: feed.userID, shard: feed.shard, session: feed.session, feed: bound)
        eventLoop.makeFutureWithTask {
            try await updater.perform(work, for: recipient)
        }.assumeIsolated().whenComplete { result in
            feed.isWorking = false
            self.sentCount += 1
            guard case .success(let version) = result else { return }
            switch (work, version) {
            case (.synchronize, let version?): feed.changes.start(at: version)
            case (.compare, let version?): feed.changes.compared(at: version)
            default: break
            }
            self.work(feed)
        }
    }
}
