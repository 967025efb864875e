import ChatEvents
import ChatStorage
import CommonUtil
import Logging
import NIOCore

/// Tells sessions of users about their rooms: reads the database, opens the rooms' feeds, and lets the session's event loop
/// send the frames.
///
/// A read that fails is repeated until it succeeds or the session has ended, so nothing that was begun is left half sent.
struct UserSessionUpdater: Sendable {
    /// A session that is being updated.
    struct Recipient: Sendable {
        let userID: UserID
        let shard: Int
        let session: NIOLoopBound<ChatSession>
        let feed: NIOLoopBound<UserFeed>
    }

    /// Rooms of one frame, and of one query.
    static let roomsPerFrame = 100
    /// Rooms that an event loop handles in one turn, and whose positions are read in one query.
    static let roomsPerTurn = QuerySize.keys

    let directory: any UserDirectory
    let log: any RoomLog
    let users: NIOLoopBound<UserFeeds>
    let cursors: NIOLoopBound<RoomListCursorIssuer>
    let sessions: ChatRoomSessionManager
    /// Shared with others that read for sessions, so that connections are left for admissions.
    let readLimiter: AsyncSemaphore
    let logger: Logger

    /// Does some work.
    /// - Returns: the user's version up to which everything was sent, where the work says so.
    /// - Throws: when the session has ended.
    func perform(_ work: UserFeed.Work, for recipient: Recipient) async throws -> Int64? {
        switch work {
        case .synchronize(let request): return try await synchronize(recipient, request)
        case .compare: return try await compare(recipient)
        case .send(let change):
            switch change.kind {
            case .roomAdded: try await add([change.roomID], for: recipient)
            case .read: try await sendReadStates([change.roomID], for: recipient)
            }
        case .reset(let roomID): try await reset(roomID, for: recipient)
        }
        return nil
    }

    // MARK: Changes

    /// Sends `room_added` for rooms that the session does not know, and begins in them.
    func add(_ roomIDs: [RoomID], for recipient: Recipient) async throws {
        for piece in roomIDs.chunks(of: Self.roomsPerFrame) {
            try await open(piece, for: recipient)
            let rooms = try await read(for: recipient) { try await directory.rooms(of: recipient.userID, in: piece) }
            let unknown = try await send(to: recipient) { shard, session in
                for room in rooms where session.user?.subscriptions[room.roomID] == nil {
                    shard.send(.roomAdded(room.json), to: session)
                    shard.subscribe(session, to: room)
                }
                return piece.filter { session.user?.subscriptions[$0] == nil }
            }
            try await release(unknown, for: recipient)
        }
    }

    /// Sends `room_changed` with the read marks and unread counts of rooms.
    private func sendReadStates(_ roomIDs: [RoomID], for recipient: Recipient) async throws {
        for piece in roomIDs.chunks(of: Self.roomsPerFrame) {
            // Counted up to what the session has been sent, so that the frame is not ahead of the room.
            let asked = try await send(to: recipient) { _, session in
                piece.compactMap { roomID in
                    session.user?.subscriptions[roomID].map { (roomID: roomID, upTo: $0.cursor.seq) }
                }
            }
            let states = try await read(for: recipient) {
                try await directory.readStates(of: recipient.userID, in: asked)
            }
            let ends = Dictionary(asked.map { ($0.roomID, $0.upTo) }) { $1 }
            try await send(to: recipient) { shard, session in
                for state in states {
                    guard let subscription = session.user?.subscriptions[state.roomID], let end = ends[state.roomID]
                    else { continue }
                    subscription.readSeq = state.lastReadSeq
                    shard.send(
                        .roomChanged(
                            state.roomID, lastReadSeq: state.lastReadSeq, unreadCount: state.unreadCount, lastSeq: end),
                        to: session)
                }
            }
        }
    }

    /// Compares the user's memberships with what the session knows, and sends what differs.
    private func compare(_ recipient: Recipient) async throws -> Int64 {
        let present = try await read(for: recipient) { try await directory.memberships(of: recipient.userID) }
        let known = try await send(to: recipient) { _, session in
            Dictionary(
                uniqueKeysWithValues: session.subscriptions.map {
                    ($0.roomID, (readSeq: $0.readSeq, seq: $0.cursor.seq))
                })
        }
        try await add(present.rooms.lazy.map(\.roomID).filter { known[$0] == nil }, for: recipient)
        try await sendReadStates(
            present.rooms.filter { room in known[room.roomID].map { $0.readSeq < room.lastReadSeq } ?? false }
                .map(\.roomID),
            for: recipient)
        let rooms = Set(present.rooms.map(\.roomID))
        try await removeLost(known.filter { !rooms.contains($0.key) }.mapValues(\.seq), for: recipient)
        return present.version
    }

    /// Removes rooms of which the user is not a member. Normally the session gets the end of a membership as an event
    /// of the room's log. If the log has no further event, the membership itself was lost: the database was set back.
    private func removeLost(_ lost: [RoomID: Seq], for recipient: Recipient) async throws {
        guard !lost.isEmpty else { return }
        let heads = try await read(for: recipient) { try await log.allHeads(of: lost.keys) }
        let gone = lost.filter { roomID, seq in seq >= heads[roomID] ?? 0 }.map(\.key)
        try await send(to: recipient) { shard, session in
            for roomID in gone where shard.unsubscribe(session, from: roomID) {
                shard.send(.roomRemoved(roomID, .reset), to: session)
            }
        }
        try await release(gone, for: recipient)
    }

    /// Sends `room_reset` for a room whose log was set back, or `room_removed` if the user is no longer a member.
    private func reset(_ roomID: RoomID, for recipient: Recipient) async throws {
        let rooms = try await read(for: recipient) { try await directory.rooms(of: recipient.userID, in: [roomID]) }
        guard let room = rooms.first else {
            try await send(to: recipient) { shard, session in
                guard shard.unsubscribe(session, from: roomID) else { return }
                shard.send(.roomRemoved(roomID, .reset), to: session)
            }
            return try await release([roomID], for: recipient)
        }
        try await open([roomID], for: recipient)
        try await send(to: recipient) { shard, session in
            _ = shard.unsubscribe(session, from: roomID)
            shard.send(.roomReset(room.json, roomID, seq: room.lastSeq, mark: room.mark), to: session)
            shard.subscribe(session, to: room)
        }
    }

    // MARK: Steps

    /// Runs a read, and repeats it until it succeeds.
    /// - Throws: when the session has ended.
    func read<Value: Sendable>(
        for recipient: Recipient, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        var backoff = Backoff(first: .milliseconds(100), longest: .seconds(2))
        while true {
            do {
                return try await readLimiter.run(body)
            } catch {
                logger.debug("a user's rooms could not be read", metadata: ["reason": "\(error)"])
            }
            try await Task.sleep(for: backoff.next())
            try await onSession(recipient) { _, _ in }
        }
    }

    /// Opens the feeds of rooms for a session, so that nothing is missed that is published from here on.
    func open(_ roomIDs: [RoomID], for recipient: Recipient) async throws {
        for chunk in roomIDs.chunks(of: Self.roomsPerTurn) {
            try await onFeeds(recipient) { users, feed in
                var followed: [EventLoopFuture<Void>] = []
                for roomID in chunk where feed.rooms[roomID] == nil {
                    followed.append(users.feeds.retain(roomID, shard: feed.shard))
                    feed.rooms.insert(users.feeds.interned(roomID))
                }
                return EventLoopFuture.andAllComplete(followed, on: users.eventLoop)
            }.get()
            let unread = try await onFeeds(recipient) { users, feed in
                chunk.filter { !users.feeds.join($0, shard: feed.shard) }
            }
            guard !unread.isEmpty else { continue }
            let interruptions = log.interruptions
            let positions = try await read(for: recipient) {
                try await log.positions(at: unread.map { (roomID: $0, seq: 0) })
            }
            try await onFeeds(recipient) { users, feed in
                for (roomID, position) in zip(unread, positions) {
                    let reading = LogReading(
                        head: position?.head ?? 0, headMark: position?.headMark, interruptions: interruptions)
                    users.feeds.attach(roomID, shard: feed.shard, reading)
                }
            }
        }
    }

    /// Lets the feeds of rooms close that a session needs no more.
    func release(_ roomIDs: [RoomID], for recipient: Recipient) async throws {
        guard !roomIDs.isEmpty else { return }
        try await onFeeds(recipient) { users, feed in
            for roomID in roomIDs { users.release(roomID, feed) }
        }
    }

    /// Runs something on the session's event loop, once its socket takes more.
    @discardableResult
    func send<Value: Sendable>(
        to recipient: Recipient, _ body: @escaping @Sendable (SessionShard, ChatSession) -> Value
    ) async throws -> Value {
        try await onSession(recipient) { shard, session in
            session.user?.whenWritable(session.transport, on: shard.eventLoop)
                ?? shard.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }.get()
        return try await onSession(recipient, body)
    }

    private func onSession<Value: Sendable>(
        _ recipient: Recipient, _ body: @escaping @Sendable (SessionShard, ChatSession) -> Value
    ) async throws -> Value {
        try await sessions.submit(onShard: recipient.shard) { shard in
            let session = recipient.session.value
            guard !session.hasEnded else { throw ChannelError.ioOnClosedChannel }
            return body(shard, session)
        }
    }

    private func onFeeds<Value: Sendable>(
        _ recipient: Recipient, _ body: @escaping @Sendable (UserFeeds, UserFeed) -> Value
    ) async throws -> Value {
        try await users.eventLoop.submit {
            let feed = recipient.feed.value
            guard !feed.hasEnded else { throw ChannelError.ioOnClosedChannel }
            return body(users.value, feed)
        }.get()
    }
}
