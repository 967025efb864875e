import ChatEvents
import ChatStorage
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct SyncCollectorTests {
    private let start = NIODeadline.uptimeNanoseconds(0)

    private func frame(_ rooms: [String: Seq] = [:], cursor: String? = nil, maxMissed: Int? = nil, more: Bool = false)
        throws -> SyncFrame
    {
        var positions: [RoomID: SyncFrame.Position] = [:]
        for (room, seq) in rooms { positions[try #require(RoomID(room))] = .init(seq: seq, mark: nil) }
        return SyncFrame(cursor: cursor, rooms: positions, maxMissed: maxMissed, hasMore: more)
    }

    @Test func `one frame is a request`() throws {
        var collector = SyncCollector(now: start)
        let taken = try collector.take(try frame(["a": 3], maxMissed: 7), now: start)
        let request = try #require(taken)
        #expect(request.rooms.mapValues(\.seq) == [try #require(RoomID("a")): 3])
        #expect(request.maxMissed == 7)
        #expect(request.cursor == nil)
        #expect(collector.isFinished)
    }

    @Test func `of several frames the rooms are put together, and the rest is the first one's`() throws {
        var collector = SyncCollector(now: start)
        let cursor = RoomListCursor(userID: UserID(7), snapshotID: ListSnapshotID(5))
        let first = try collector.take(
            try frame(["a": 1, "b": 1], cursor: cursor.text, maxMissed: 5, more: true), now: start)
        #expect(first == nil)
        let taken = try collector.take(try frame(["b": 2, "c": 3], cursor: "other", maxMissed: 9), now: start)
        let request = try #require(taken)
        #expect(request.rooms.map { "\($0.key)\($0.value.seq)" }.sorted() == ["a1", "b2", "c3"])
        #expect(request.cursor == cursor)
        #expect(request.maxMissed == 5)
    }

    @Test func `a cursor that is none is none`() throws {
        var collector = SyncCollector(now: start)
        let request = try collector.take(try frame(cursor: "no cursor"), now: start)
        #expect(request?.cursor == nil)
    }

    @Test func `a frame after the last is refused`() throws {
        var collector = SyncCollector(now: start)
        _ = try collector.take(try frame(), now: start)
        #expect { try collector.take(try frame(), now: start) } throws: { ($0 as? FrameError)?.code == .alreadySynced }
        var finished = SyncCollector.finished
        #expect { try finished.take(try frame(), now: start) } throws: { ($0 as? FrameError)?.code == .alreadySynced }
    }

    @Test func `more rooms than a client may name are refused`() throws {
        var collector = SyncCollector(now: start)
        let half = Dictionary(uniqueKeysWithValues: (0..<5_000).map { ("a\($0)", Seq(1)) })
        let other = Dictionary(uniqueKeysWithValues: (0..<5_001).map { ("b\($0)", Seq(1)) })
        _ = try collector.take(try frame(half, more: true), now: start)
        #expect { try collector.take(try frame(other), now: start) } throws: {
            ($0 as? FrameError)?.code == .tooManyRooms
        }
    }

    @Test func `the deadline is 10 s, again after each frame that has more, and 60 s in all`() throws {
        var collector = SyncCollector(now: start)
        #expect(collector.deadline == start + .seconds(10))
        for second in stride(from: Int64(9), through: 54, by: 9) {
            _ = try collector.take(try frame(more: true), now: start + .seconds(second))
            #expect(collector.deadline == start + .seconds(min(60, second + 10)))
        }
        _ = try collector.take(try frame(), now: start + .seconds(59))
        #expect(collector.deadline == nil)
    }
}
