import ChatEvents
import CommonUtil
import Logging
import NIOCore

/// Every session of this server, kept apart by event loop.
final class ChatRoomSessionManager: Sendable {
    /// A session as others may know it.
    struct SessionInfo: Equatable, Sendable {
        let id: String
        let roomID: RoomID
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

    /// - Parameter ringBytes: memory for recent events of all rooms together.
    convenience init(
        eventLoops: [any EventLoop], log: any RoomLog, ringBytes: Int, metrics: DeliveryMetrics, logger: Logger
    ) async throws {
        let readLimiter = ReadLimiter(limit: 16)
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

    var shardIndexes: Range<Int> { shards.indices }

    /// - Returns: `nil` for a loop that is not one of this server's.
    func shardIndex(of eventLoop: any EventLoop) -> Int? { shardOfLoop[ObjectIdentifier(eventLoop)] }

    /// Takes a session in. To be called on the session's event loop.
    func register(_ session: ChatSession, head: Seq, lastSeq: Seq?, ready: (Seq) -> ByteBuffer) {
        shards[session.shard].value.register(session, head: head, lastSeq: lastSeq, ready: ready)
    }

    /// Forgets a session. To be called on the session's event loop.
    func remove(_ session: ChatSession) {
        shards[session.shard].value.remove(session)
    }

    /// Sends a session more of what it lacks. To be called on the session's event loop.
    func catchUp(_ session: ChatSession) {
        shards[session.shard].value.catchUp(session)
    }

    /// Lets a session live by a fresh token. To be called on the session's event loop.
    func renew(_ session: ChatSession, token: TokenLifetime) {
        shards[session.shard].value.renew(session, token: token)
    }

    /// Closes the sessions whose sign-ins have ended.
    func close(endedBy revocations: [Revocation]) {
        for shard in shards { shard.eventLoop.execute { shard.value.close(endedBy: revocations) } }
    }

    /// Tells an event loop what to send; one hop, whatever the number of updates.
    func apply(_ updates: [ShardUpdate], toShard index: Int) {
        let shard = shards[index]
        shard.eventLoop.execute { shard.value.apply(updates) }
    }

    /// Does something on a shard's event loop, after all that was told it before.
    func run(onShard index: Int, _ work: @escaping @Sendable () -> Void) {
        shards[index].eventLoop.execute(work)
    }

    // MARK: Who is there

    func activeSessions(inRoom roomID: RoomID) async throws -> [SessionInfo] {
        try await collect { $0.sessions(inRoom: roomID) }
    }

    func activeSessions(ofUser userID: UserID) async throws -> [SessionInfo] {
        try await collect { $0.sessions(ofUser: userID) }
    }

    private func collect(_ select: @escaping @Sendable (SessionShard) -> [ChatSession]) async throws -> [SessionInfo] {
        var sessions: [SessionInfo] = []
        for shard in shards {
            sessions += try await shard.eventLoop.submit {
                select(shard.value).map { SessionInfo(id: $0.id, roomID: $0.roomID, userID: $0.userID) }
            }.get()
        }
        return sessions
    }

    /// Tells every session to come back and closes them within so long.
    func drain(longest: Duration) {
        for shard in shards {
            shard.eventLoop.execute { shard.value.drain(longest: TimeAmount(longest)) }
        }
    }
}
