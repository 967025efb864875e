import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import NIOPosix
import Testing

@testable import ChatWebSocketServer

/// The sessions of one event loop, with a log in memory.
@Suite(.timeLimit(.minutes(1))) struct SessionShardTests {
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

    /// The frames and closes of a session, and its shard.
    private struct Session: Sendable {
        let shard: NIOLoopBound<SessionShard>
        let frames: EventCollector<ByteBuffer>
        let closes: EventCollector<CloseReason>

        func apply(_ updates: [ShardUpdate]) {
            shard.eventLoop.execute { shard.value.apply(updates) }
        }

        func run<Result: Sendable>(_ body: @escaping @Sendable (SessionShard) -> Result) async throws -> Result {
            try await shard.eventLoop.submit { body(shard.value) }.get()
        }
    }

    /// Registers a session with a shard that has dispatched the room up to `position`.
    private func session(log: [MessageEvent], position: Seq, head: Seq, lastSeq: Seq?) async throws -> Session {
        try await session(MemoryLog(log), position: position, head: head, lastSeq: lastSeq)
    }

    private func session(_ log: MemoryLog, position: Seq, head: Seq, lastSeq: Seq?) async throws -> Session {
        let eventLoop = eventLoop
        let (frames, closes) = (EventCollector<ByteBuffer>(), EventCollector<CloseReason>())
        let shard = try await eventLoop.submit {
            let shard = SessionShard(
                eventLoop: eventLoop, log: log, readLimiter: AsyncSemaphore(limit: 4), ringBytes: 1 << 20,
                metrics: DeliveryMetrics(), logger: noLogger)
            shard.apply([.attach(hall, position: position)])
            let transport = RecordingTransport(frames: frames, closes: closes)
            let session = ChatSession(
                admission: try .authorized(lastSeq: lastSeq, head: head), transport: transport)
            transport.onClose = { [weak session, weak shard] in
                if let session { shard?.remove(session) }
            }
            shard.register(session, ready: ByteBuffer(string: "ready \(head)"))
            return NIOLoopBound(shard, eventLoop: eventLoop)
        }.get()
        return Session(shard: shard, frames: frames, closes: closes)
    }

    private func frames(_ ready: Seq, _ seqs: [Seq], caughtUp seq: Seq) -> [ByteBuffer] {
        let mark = seqs.last == seq ? event(seq).mark : nil
        return [ByteBuffer(string: "ready \(ready)")] + seqs.map { event($0).frame }
            + [WebSocketFrame.text(SessionEvent.caughtUp(hall, seq: seq, mark: mark).jsonBytes)]
    }

    @Test(arguments: [0, 2, 5] as [Seq])
    func `caught_up is not before ready's seq, whatever this loop has dispatched`(position: Seq) async throws {
        let session = try await session(log: events(1...5), position: position, head: 5, lastSeq: 1)
        #expect(try await session.frames.first(6) == frames(5, [2, 3, 4, 5], caughtUp: 5))
    }

    @Test func `an event that was read from the log is not dispatched again`() async throws {
        let session = try await session(log: events(1...3), position: 0, head: 3, lastSeq: 0)
        try await session.frames.first(5)
        session.apply([.dispatch(RoomDispatch(roomID: hall, events: events(1...4)))])
        #expect(try await session.frames.first(6).last == event(4).frame)
    }

    @Test func `events that the log lacks are skipped`() async throws {
        let session = try await session(log: events([1, 2, 5, 6]), position: 6, head: 6, lastSeq: 0)
        #expect(try await session.frames.first(6) == frames(6, [1, 2, 5, 6], caughtUp: 6))
    }

    @Test func `the last event is skipped if the log lacks it, and the session goes live`() async throws {
        let session = try await session(log: events(1...2), position: 3, head: 3, lastSeq: 1)
        #expect(try await session.frames.first(3) == frames(3, [2], caughtUp: 3))
        session.apply([.dispatch(RoomDispatch(roomID: hall, events: [event(4)]))])
        #expect(try await session.frames.first(4).last == event(4).frame)
    }

    @Test(arguments: [nil, 1] as [Seq?])
    func `a log that was set back closes the room's sessions, live or catching up`(lastSeq: Seq?) async throws {
        let session = try await session(log: events(1...3), position: 3, head: 3, lastSeq: lastSeq)
        session.apply([.logSetBack(hall), .attach(hall, position: 1)])
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
    }

    @Test func `a session that is ahead of its room is closed where the log no longer holds what it was sent`()
        async throws
    {
        let log = MemoryLog(events(1...3))
        let session = try await session(log, position: 1, head: 3, lastSeq: 1)
        #expect(try await session.frames.first(4) == frames(3, [2, 3], caughtUp: 3))
        session.apply([.emptyRings])
        try await log.reads.first(2)
        // It goes on where the log still holds it.
        #expect(session.closes.all.isEmpty)
        log.replace(by: events(1...2))
        // There is one read at a time, and the one before may be under way still: then this asks for none.
        for _ in 0..<10_000 where session.closes.all.isEmpty {
            session.apply([.emptyRings])
            _ = try await session.run { _ in }
        }
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
    }

    @Test func `a session is found by room and by user until it is removed`() async throws {
        let session = try await session(log: [], position: 0, head: 0, lastSeq: nil)
        let found = try await session.run { ($0.sessions(inRoom: hall).count, $0.sessions(ofUser: UserID(7)).count) }
        #expect(found == (1, 1))
        let left = try await session.run { shard in
            for session in shard.sessions(inRoom: hall) {
                shard.remove(session)
                shard.remove(session)
            }
            return (shard.sessions(inRoom: hall).count, shard.sessions(ofUser: UserID(7)).count, shard.sessionCount)
        }
        #expect(left == (0, 0, 0))
        session.apply([.dispatch(RoomDispatch(roomID: hall, events: [event(1)]))])
        _ = try await session.run { _ in }
        #expect(session.frames.all == [ByteBuffer(string: "ready 0")])
    }

    @Test func `an event on the channel of a user is sent to the user's live sessions`() async throws {
        let session = try await session(log: [], position: 0, head: 0, lastSeq: nil)
        session.apply([
            .user(UserID(8), event(1)), .user(UserID(7), event(2)),
        ])
        #expect(try await session.frames.first(2).last == event(2).frame)
    }

    @Test func `a drain sends reconnect and then closes every session`() async throws {
        let session = try await session(log: [], position: 0, head: 0, lastSeq: nil)
        _ = try await session.run { $0.drain(longest: .milliseconds(10)) }
        let frames = try await session.frames.first(2)
        #expect(String(buffer: frames[1]).contains(#""eventType":"reconnect""#))
        #expect(try await session.closes.first(1).map(\.code) == [.restart])
    }

    @Test func `the end of a sign-in closes the sessions of its user that have no other`() async throws {
        let session = try await session(log: [], position: 0, head: 0, lastSeq: nil)
        let expiry = Timestamp(microseconds: .max)
        let other = Revocation(userID: UserID(7), scope: .signIn(.random()), expiresAt: expiry)
        let unnamed = Revocation(
            userID: UserID(7), scope: .unnamed(issuedUpTo: Timestamp(microseconds: 0)), expiresAt: expiry)
        _ = try await session.run { $0.close(endedBy: [other]) }
        #expect(session.closes.all.isEmpty)
        _ = try await session.run { $0.close(endedBy: [unnamed]) }
        #expect(session.closes.all == [.signInEnded])
    }
}
