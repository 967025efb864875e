import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonAuth
import CommonUtil
import NIOCore
import NIOEmbedded
import Testing

@testable import ChatWebSocketServer

/// Sessions of users on one event loop, with a log in memory.
@Suite(.timeLimit(.minutes(1))) struct UserSessionTests {
    private let eventLoop = EmbeddedEventLoop()
    private let shard: SessionShard
    private let transport = RecordingTransport()
    private let session: ChatSession
    private let lost = Lost()

    private final class Lost {
        var rooms: [(RoomID, UserSession.RoomLoss)] = []
    }

    init() {
        shard = SessionShard(
            eventLoop: eventLoop, log: MemoryLog(events(1...5)), readLimiter: AsyncSemaphore(limit: 4),
            ringBytes: 1 << 20,
            metrics: DeliveryMetrics(), logger: noLogger)
        session = ChatSession(
            admission: .admitted(synchronizesAtOnce: true), transport: transport,
            user: UserSession { [lost] in lost.rooms.append(($0, $1)) })
        shard.register(userSession: session, ready: ByteBuffer(string: "ready"))
    }

    private func subscribe(at seq: Seq, position: Seq? = nil) {
        shard.apply([.attach(hall, position: position ?? seq)])
        shard.subscribe(session, to: hall, SessionCursor(admissionHead: seq, lastSeq: nil), readSeq: 0)
    }

    private func dispatch(_ events: [MessageEvent]) {
        shard.apply([.dispatch(RoomDispatch(roomID: hall, events: events))])
    }

    private func event(_ json: String) throws -> MessageEvent {
        try #require(MessageEvent(json: ByteBuffer(string: json), of: hall))
    }

    private var types: [String] {
        transport.frames.all.dropFirst().compactMap { frame in
            EventEnvelope(Array(MessageEvent.json(of: frame)))?.type?.rawValue
        }
    }

    private var cursor: RoomListCursor { RoomListCursor(userID: UserID(7), snapshotID: ListSnapshotID(1)) }

    private func settle() {
        session.user?.syncedCursor = cursor
        shard.settle(session)
    }

    @Test func `events of a subscribed room are sent until it is unsubscribed`() {
        subscribe(at: 5)
        dispatch(events(6...6))
        #expect(shard.unsubscribe(session, from: hall))
        #expect(!shard.unsubscribe(session, from: hall))
        dispatch(events(7...7))
        #expect(types == ["room_updated"])
        #expect(shard.sessions(inRoom: hall).isEmpty)
    }

    @Test func `what the rooms of a user send in one turn is flushed once, at its end`() {
        subscribe(at: 5)
        let before = transport.flushes
        dispatch(events(6...6))
        dispatch(events(7...7))
        #expect(types.count == 2)
        #expect(transport.flushes == before)
        eventLoop.run()
        eventLoop.run()
        #expect(transport.flushes == before + 1)
    }

    @Test func `what comes while a turn is flushed is flushed, too, and a session that ends does no harm`() {
        subscribe(at: 5)
        let before = transport.flushes
        transport.onFlush = { [unowned transport] in
            transport.onFlush = {}
            dispatch(events(7...7))
            shard.remove(session)
        }
        dispatch(events(6...6))
        eventLoop.run()
        #expect(transport.flushes == before + 2)
        #expect(types.count == 2)
    }

    @Test func `the end of a membership ends the room and not the session`() throws {
        subscribe(at: 0)
        dispatch([try event(#"{"eventType":"member_left","seq":1,"roomId":"hall","userId":7,"actorId":3}"#)])
        dispatch(events(2...2))
        #expect(types == ["member_left", "room_removed"])
        #expect(String(buffer: try #require(transport.frames.all.last)).contains(#""reason":"removed""#))
        #expect(lost.rooms.map(\.0) == [hall])
        #expect(transport.closes.all.isEmpty)
        #expect(session.subscriptions.isEmpty)
    }

    @Test func `a user who left gets a notice`() throws {
        subscribe(at: 0)
        dispatch([try event(#"{"eventType":"member_left","seq":1,"roomId":"hall","userId":7,"actorId":7}"#)])
        #expect(String(buffer: try #require(transport.frames.all.last)).contains(#""reason":"left""#))
    }

    @Test func `a room whose log was set back is sent nothing more, and the session stays`() {
        subscribe(at: 3)
        shard.apply([.logSetBack(hall), .attach(hall, position: 2)])
        dispatch(events(3...3))
        #expect(types.isEmpty)
        #expect(transport.closes.all.isEmpty)
        guard case .reset? = lost.rooms.first?.1 else {
            Issue.record("the feed is not informed")
            return
        }
    }

    @Test func `a room whose log is set back before the session begins in it is lost at once`() {
        shard.subscribe(session, to: hall, SessionCursor(admissionHead: 3, lastSeq: nil), readSeq: 0)
        #expect(lost.rooms.map(\.0) == [hall])
        #expect(session.catchingUpCount == 0)
    }

    @Test func `synced waits for the rooms that are awaited`() throws {
        shard.apply([.attach(hall, position: 2)])
        dispatch(events(3...5))
        shard.subscribe(session, to: hall, SessionCursor(admissionHead: 5, lastSeq: 2), readSeq: 0, isAwaited: true)
        settle()
        #expect(types.isEmpty)
        #expect(session.phase == .catchingUp)
        shard.advance(session)
        #expect(types == ["room_updated", "room_updated", "room_updated", "caught_up", "synced"])
        #expect(session.phase == .live)
    }

    @Test func `an awaited room that is removed is waited for no more`() throws {
        shard.apply([.attach(hall, position: 5)])
        shard.subscribe(session, to: hall, SessionCursor(admissionHead: 5, lastSeq: 2), readSeq: 0, isAwaited: true)
        settle()
        dispatch([try event(#"{"eventType":"member_left","seq":6,"roomId":"hall","userId":7,"actorId":3}"#)])
        #expect(types == ["room_removed", "synced"])
    }

    @Test func `a cursor is sent after news, not more often than every ten seconds`() throws {
        subscribe(at: 5)
        settle()
        func offer(_ id: Int64) -> Int {
            shard.offer(ListSnapshotID(id), to: session)
            return types.count { $0 == "cursor" }
        }
        #expect(offer(2) == 0)
        dispatch(events(6...6))
        #expect(offer(3) == 0)
        eventLoop.advanceTime(by: .seconds(10))
        #expect(offer(4) == 1)
        eventLoop.advanceTime(by: .seconds(10))
        #expect(offer(5) == 1)
        dispatch(events(7...7))
        shard.offerCursors()
        #expect(types.count { $0 == "cursor" } == 2)
    }

    @Test func `a session that is behind gets no cursor until it has caught up`() throws {
        subscribe(at: 5)
        settle()
        eventLoop.advanceTime(by: .seconds(10))
        transport.isWritable = false
        dispatch(events(6...6))
        dispatch(events(7...7))
        shard.offer(ListSnapshotID(2), to: session)
        #expect(types == ["synced", "room_updated"])
        transport.isWritable = true
        shard.advance(session)
        shard.offerCursors()
        #expect(types.last == "cursor")
    }

    @Test func `at most fifty rooms are open, and only those of the user`() throws {
        let user = try #require(session.user)
        let rooms = (0..<51).compactMap { RoomID("room-\($0)") }
        for roomID in rooms {
            shard.apply([.attach(roomID, position: 0)])
            shard.subscribe(session, to: roomID, SessionCursor(admissionHead: 0, lastSeq: nil), readSeq: 0)
        }
        for roomID in rooms.prefix(50) { try user.open(roomID) }
        try user.open(rooms[0])
        #expect { try user.open(rooms[50]) } throws: { ($0 as? FrameError)?.code == .tooManyOpen }
        try user.close(rooms[0])
        try user.close(rooms[0])
        try user.open(rooms[50])
        #expect { try user.open(hall) } throws: { ($0 as? FrameError)?.code == .roomNotFound }
        #expect { try user.close(hall) } throws: { ($0 as? FrameError)?.code == .roomNotFound }
        #expect(user.subscriptions[rooms[0]]?.isOpen == false)
        #expect(user.subscriptions[rooms[1]]?.isOpen == true)
    }

    @Test func `what waits for the socket goes on when it is writable, and ends with the session`() throws {
        let user = try #require(session.user)
        transport.isWritable = false
        let first = user.whenWritable(transport, on: eventLoop)
        let done = NIOLoopBoundBox(0, eventLoop: eventLoop)
        first.whenComplete { _ in done.value += 1 }
        shard.advance(session)
        #expect(done.value == 0)
        transport.isWritable = true
        shard.advance(session)
        #expect(done.value == 1)
        transport.isWritable = false
        user.whenWritable(transport, on: eventLoop).whenFailure { _ in done.value += 1 }
        shard.remove(session)
        #expect(done.value == 2)
        #expect(session.phase == .ended)
        #expect(shard.sessionCount == 0)
    }
}
