import ChatTestSupport
import CommonUtil
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ChatWebSocketServer

/// What an event loop's sessions are sent while they catch up, with a log in memory.
@Suite(.timeLimit(.minutes(1))) struct SessionShardTests {
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

    /// A room of which this event loop has dispatched so much, and a session that was let in.
    private func run(
        log: [MessageEvent], position: Seq, head: Seq, lastSeq: Seq?, then updates: [ShardUpdate] = []
    ) async throws -> Recorder {
        let recorder = Recorder()
        let eventLoop = eventLoop
        try await eventLoop.submit {
            let shard = SessionShard(
                eventLoop: eventLoop, log: MemoryLog(log), readLimiter: ReadLimiter(limit: 4), ringBytes: 1 << 20,
                metrics: DeliveryMetrics(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            shard.apply([.attach(hall, position: position)])
            let session = ChatSession(
                id: "a", roomID: hall, userID: UserID(7), token: nil, admittedAt: head, shard: 0,
                transport: RecordingTransport(recorder, shard), leases: (feed: Lease {}, place: Lease {}))
            shard.register(session, head: head, lastSeq: lastSeq) { ByteBuffer(string: "ready \($0)") }
            shard.apply(updates)
        }.get()
        return recorder
    }

    private func caughtUp(_ seq: Seq) -> ByteBuffer {
        WebSocketFrame.text(ByteBuffer(string: #"{"eventType":"caught_up","roomId":"hall","seq":\#(seq)}"#))
    }

    private func frames(_ ready: Seq, _ seqs: [Seq], caughtUp seq: Seq) -> [ByteBuffer] {
        [ByteBuffer(string: "ready \(ready)")] + seqs.map { event($0).frame } + [caughtUp(seq)]
    }

    @Test(arguments: [0, 2, 5] as [Seq])
    func `a session is caught up only at what ready told, however far this loop is`(position: Seq) async throws {
        let recorder = try await run(log: events(1...5), position: position, head: 5, lastSeq: 1)
        #expect(try await recorder.frames.first(6) == frames(5, [2, 3, 4, 5], caughtUp: 5))
    }

    @Test func `what it read ahead of this loop is not told twice`() async throws {
        let recorder = try await run(log: events(1...3), position: 0, head: 3, lastSeq: 0)
        try await recorder.frames.first(5)
        recorder.apply([.dispatch(RoomDispatch(roomID: hall, events: events(1...4)))], on: eventLoop)
        #expect(try await recorder.frames.first(6).last == event(4).frame)
    }

    @Test func `events that the log lacks are stepped over`() async throws {
        let recorder = try await run(log: events([1, 2, 5, 6]), position: 6, head: 6, lastSeq: 0)
        #expect(try await recorder.frames.first(6) == frames(6, [1, 2, 5, 6], caughtUp: 6))
    }

    @Test func `the last event is stepped over where the log lacks it, and the session goes on`() async throws {
        let recorder = try await run(log: events(1...2), position: 3, head: 3, lastSeq: 1)
        #expect(try await recorder.frames.first(3) == frames(3, [2], caughtUp: 3))
        recorder.apply([.dispatch(RoomDispatch(roomID: hall, events: [event(4)]))], on: eventLoop)
        #expect(try await recorder.frames.first(4).last == event(4).frame)
    }

    @Test(arguments: [nil, 1] as [Seq?])
    func `a log that was set back ends the room's sessions, live or catching up`(lastSeq: Seq?) async throws {
        let recorder = try await run(log: events(1...3), position: 3, head: 3, lastSeq: lastSeq)
        recorder.apply([.logSetBack(hall), .attach(hall, position: 1)], on: eventLoop)
        #expect(try await recorder.closes.first(1).map(\.code) == [.aheadOfLog])
    }
}

/// What sessions are sent, for tests to wait for.
private final class Recorder: Sendable {
    let frames = EventCollector<ByteBuffer>()
    let closes = EventCollector<CloseReason>()
    private let shard = EventCollector<NIOLoopBound<SessionShard>>()

    func serve(_ shard: SessionShard) { self.shard.append(NIOLoopBound(shard, eventLoop: shard.eventLoop)) }

    func apply(_ updates: [ShardUpdate], on eventLoop: any EventLoop) {
        let shards = shard.all
        eventLoop.execute { for shard in shards { shard.value.apply(updates) } }
    }
}

private final class RecordingTransport: SessionTransport {
    private let recorder: Recorder
    private unowned let shard: SessionShard
    private(set) var bytesWritten = 0
    let isWritable = true
    let queuedBytes = 0

    init(_ recorder: Recorder, _ shard: SessionShard) {
        self.recorder = recorder
        self.shard = shard
        recorder.serve(shard)
    }

    func write(_ frames: ByteBuffer) { recorder.frames.append(frames) }
    func flush() {}
    func send(_ frames: ByteBuffer) { recorder.frames.append(frames) }
    func close(_ reason: CloseReason) {
        recorder.closes.append(reason)
        for session in shard.sessions(inRoom: hall) where session.transport === self { shard.remove(session) }
    }
    func abort() {}
}
