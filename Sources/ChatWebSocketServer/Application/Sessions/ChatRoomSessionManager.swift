import ChatEvents
import ChatStorage
import CommonUtil
import Logging
import NIOCore

/// The sessions of this server, divided by event loop.
final class ChatRoomSessionManager: Sendable {
    /// A description of a session that may leave its event loop.
    struct SessionInfo: Equatable, Sendable {
        let id: SessionID
        /// The rooms whose events it gets.
        let roomIDs: [RoomID]
        let userID: UserID?
    }

    private let shards: [NIOLoopBound<SessionShard>]
    private let shardOfLoop: [ObjectIdentifier: Int]

    /// - Parameter shards: one for each event loop.
    init(shards: [NIOLoopBound<SessionShard>]) {
        self.shards = shards
        shardOfLoop = Dictionary(
            uniqueKeysWithValues: shards.enumerated().map { (ObjectIdentifier($1.eventLoop), $0) })
    }

    /// Makes one shard for each event loop.
    /// - Parameter ringBytes: memory for recent events of all rooms together.
    convenience init(
        eventLoops: [any EventLoop], log: any RoomLog, ringBytes: Int, metrics: DeliveryMetrics, logger: Logger
    ) async throws {
        // A thousand sessions that catch up leave connections of the database to admissions.
        let readLimiter = AsyncSemaphore(limit: 16)
        var shards: [NIOLoopBound<SessionShard>] = []
        for eventLoop in eventLoops {
            shards.append(
                try await eventLoop.submit {
                    NIOLoopBound(
                        SessionShard(
                            eventLoop: eventLoop, log: log, readLimiter: readLimiter,
                            ringBytes: ringBytes / max(1, eventLoops.count), metrics: metrics, logger: logger),
                        eventLoop: eventLoop)
                }.get())
        }
        self.init(shards: shards)
    }

    /// Indexes of the shards.
    var shardIndexes: Range<Int> { shards.indices }

    /// The index of an event loop's shard; `nil` for a loop that is not one of this server's.
    func shardIndex(of eventLoop: any EventLoop) -> Int? { shardOfLoop[ObjectIdentifier(eventLoop)] }

    /// Registers a session and sends it `ready`. To be called on the session's event loop.
    /// - Parameter ready: the first bytes that the session gets.
    func register(_ session: ChatSession, ready: ByteBuffer) {
        shards[session.shard].value.register(session, ready: ready)
    }

    /// Removes a session. To be called on the session's event loop.
    func remove(_ session: ChatSession) {
        shards[session.shard].value.remove(session)
    }

    /// Sends a session what it is missing, if its socket has become writable. To be called on the session's event loop.
    func advance(_ session: ChatSession) {
        shards[session.shard].value.advance(session)
    }

    /// Replaces a session's access token. To be called on the session's event loop.
    func renew(_ session: ChatSession, token: TokenLifetime) {
        shards[session.shard].value.renew(session, token: token)
    }

    /// Closes the sessions whose sign-ins have ended.
    func close(endedBy revocations: [Revocation]) {
        for shard in shards { shard.eventLoop.execute { shard.value.close(endedBy: revocations) } }
    }

    /// Applies updates on an event loop; one hop, whatever their number.
    func apply(_ updates: [ShardUpdate], toShard index: Int) {
        let shard = shards[index]
        shard.eventLoop.execute { shard.value.apply(updates) }
    }

    /// Runs a closure on a shard's event loop, after the updates that were sent to it before.
    func run(onShard index: Int, _ work: @escaping @Sendable () -> Void) {
        shards[index].eventLoop.execute(work)
    }

    /// Runs a closure with a shard, on its event loop, after the updates that were sent to it before.
    func submit<Value: Sendable>(
        onShard index: Int, _ body: @escaping @Sendable (SessionShard) throws -> Value
    ) async throws -> Value {
        let shard = shards[index]
        return try await shard.eventLoop.submit { try body(shard.value) }.get()
    }

    // MARK: Sessions of users

    /// Registers a session of a user and sends it `ready`. To be called on the session's event loop.
    func register(userSession session: ChatSession, ready: ByteBuffer) {
        shards[session.shard].value.register(userSession: session, ready: ready)
    }

    /// Gives sessions a snapshot of which everything was sent to their event loop.
    func offer(_ snapshotID: ListSnapshotID, to recipients: [NIOLoopBound<ChatSession>], onShard index: Int) {
        let shard = shards[index]
        shard.eventLoop.execute {
            for session in recipients { shard.value.offer(snapshotID, to: session.value) }
        }
    }

    /// Sends the sessions of users the cursors that are due.
    func offerCursors() {
        for shard in shards { shard.eventLoop.execute { shard.value.offerCursors() } }
    }

    // MARK: Active sessions

    /// Lists the sessions of a room on this server.
    func activeSessions(inRoom roomID: RoomID) async throws -> [SessionInfo] {
        try await collect { $0.sessions(inRoom: roomID) }
    }

    /// Lists the sessions of a user on this server, in all rooms.
    func activeSessions(ofUser userID: UserID) async throws -> [SessionInfo] {
        try await collect { $0.sessions(ofUser: userID) }
    }

    private func collect(_ select: @escaping @Sendable (SessionShard) -> [ChatSession]) async throws -> [SessionInfo] {
        var sessions: [SessionInfo] = []
        for shard in shards {
            sessions += try await shard.eventLoop.submit {
                select(shard.value).map {
                    SessionInfo(id: $0.id, roomIDs: $0.subscriptions.map(\.roomID), userID: $0.userID)
                }
            }.get()
        }
        return sessions
    }

    /// Sends every session `reconnect` and closes all within a time.
    func drain(longest: Duration) {
        for shard in shards {
            shard.eventLoop.execute { shard.value.drain(longest: TimeAmount(longest)) }
        }
    }
}
