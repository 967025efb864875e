import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct SyncPlanTests {
    private static let mark = EventMark("abcdef")
    private static let otherMark = EventMark("ghijkl")

    private func room(_ id: String) throws -> RoomID { try #require(RoomID(id)) }

    private func entry(
        _ id: String, lastSeq: Seq, isChanged: Bool = false, seqAtCursor: Seq? = nil
    ) throws -> RoomList.Entry {
        RoomList.Entry(
            roomID: try room(id), lastSeq: lastSeq, lastReadSeq: 0, isChanged: isChanged,
            seqAtCursor: seqAtCursor)
    }

    private func list(
        _ entries: [RoomList.Entry], _ state: RoomList.CursorState = .valid, removed: [RoomID] = []
    ) -> RoomList {
        RoomList(version: 1, cursorState: state, entries: entries, removed: removed)
    }

    private func plan(
        _ named: [String: SyncFrame.Position], _ list: RoomList, _ positions: [String: LogPosition] = [:],
        maxMissed: Int? = nil, namesAll: Bool = false
    ) throws -> SyncPlan {
        var request = SyncRequest(maxMissed: maxMissed, namesAllRooms: namesAll)
        for (id, position) in named { request.rooms[try room(id)] = position }
        var found: [RoomID: LogPosition] = [:]
        for (id, position) in positions { found[try room(id)] = position }
        return SyncPlan(request, list: list, positions: found)
    }

    private func at(_ seq: Seq, _ mark: EventMark? = nil) -> SyncFrame.Position { .init(seq: seq, mark: mark) }
    private func log(_ head: Seq, _ mark: EventMark? = nil) -> LogPosition {
        LogPosition(head: head, headMark: Self.mark, mark: mark)
    }

    @Test func `without a cursor all rooms are listed, and the session begins after what is listed`() throws {
        let plan = try plan([:], list([try entry("a", lastSeq: 3), try entry("b", lastSeq: 0)], .none))
        #expect(plan.isAll)
        #expect(plan.listed.map(\.rawValue) == ["a", "b"])
        #expect(plan.starts == [try room("a"): .listed, try room("b"): .listed])
    }

    @Test func `with a cursor only what changed is listed, and the other rooms begin at their heads`() throws {
        let plan = try plan(
            [:],
            list([try entry("a", lastSeq: 3, isChanged: true), try entry("b", lastSeq: 9)], removed: [try room("c")]))
        #expect(!plan.isAll)
        #expect(plan.listed.map(\.rawValue) == ["a"])
        #expect(plan.starts == [try room("a"): .listed, try room("b"): .head(9)])
        #expect(plan.removed.map(\.rawValue) == ["c"])
    }

    @Test func `rooms that are named and not the user's are removed, once`() throws {
        let plan = try plan(
            ["c": at(1), "x": at(2), "b": at(0)], list([try entry("b", lastSeq: 0)], removed: [try room("c")]))
        #expect(plan.removed.map(\.rawValue) == ["c", "x"])
    }

    @Test func `a room goes on where the client is, if it is the same log`() throws {
        let entries = [try entry("a", lastSeq: 9), try entry("b", lastSeq: 9), try entry("c", lastSeq: 9)]
        let plan = try plan(
            ["a": at(5, Self.mark), "b": at(5, Self.mark), "c": at(5)], list(entries),
            ["a": log(9, Self.mark), "b": log(9, Self.otherMark), "c": log(9, Self.mark)])
        #expect(plan.starts[try room("a")] == .position(at(5, Self.mark), head: 9))
        #expect(plan.starts[try room("b")] == .reset)
        #expect(plan.starts[try room("c")] == .position(at(5), head: 9))
    }

    @Test func `a stream goes on from its cursor in all rooms, at their heads at the most`() throws {
        let entries = [
            try entry("a", lastSeq: 9, isChanged: true, seqAtCursor: 4),
            try entry("b", lastSeq: 9, isChanged: true, seqAtCursor: 7),
            try entry("c", lastSeq: 3, isChanged: true, seqAtCursor: 4),
        ]
        let plan = try plan([:], list(entries), namesAll: true)
        #expect(plan.starts[try room("a")] == .position(at(4), head: 9))
        #expect(plan.starts[try room("b")] == .position(at(7), head: 9))
        #expect(plan.starts[try room("c")] == .position(at(3), head: 3))
    }

    @Test func `a head that is sent with a room is newer than the list's, or counts for nothing`() throws {
        let entries = [
            try entry("a", lastSeq: 9, isChanged: true, seqAtCursor: 4),
            try entry("b", lastSeq: 9, isChanged: true, seqAtCursor: 7),
        ]
        var plan = try plan([:], list(entries), namesAll: true)
        for id in ["a", "b", "c"] { plan.noteSent(listedRoom(try room(id), lastSeq: id == "b" ? 8 : 12)) }
        #expect(
            plan.starts == [
                try room("a"): .position(at(4), head: 12), try room("b"): .position(at(7), head: 9),
            ])
        var other = try self.plan(["b": at(10)], list([try entry("a", lastSeq: 9), try entry("b", lastSeq: 9)], .none))
        for id in ["a", "b"] { other.noteSent(listedRoom(try room(id), lastSeq: 12)) }
        #expect(other.starts == [try room("a"): .listed, try room("b"): .reset])
    }

    @Test func `a position beyond the database's own head is another log's`() throws {
        let entries = [try entry("a", lastSeq: 4), try entry("b", lastSeq: 4)]
        // Of b the log has gone on since the list was read.
        let plan = try plan(["a": at(5), "b": at(5)], list(entries), ["a": log(4), "b": log(6, Self.mark)])
        #expect(plan.starts[try room("a")] == .reset)
        #expect(plan.starts[try room("b")] == .position(at(5), head: 4))
    }

    @Test(arguments: [(99, false), (100, false), (101, true)])
    func `more than is wanted is skipped`(missing: Seq, isSkipped: Bool) throws {
        let plan = try plan(
            ["a": at(10)], list([try entry("a", lastSeq: 10 + missing)]), ["a": log(10 + missing)], maxMissed: 100)
        #expect(plan.starts[try room("a")] == (isSkipped ? .skip : .position(at(10), head: 10 + missing)))
    }

    @Test func `an event stream goes on from its cursor in all rooms`() throws {
        let entries = [
            try entry("a", lastSeq: 9, isChanged: true, seqAtCursor: 4), try entry("b", lastSeq: 3, seqAtCursor: 3),
        ]
        let plan = try plan([:], list(entries), namesAll: true)
        #expect(plan.starts[try room("a")] == .position(at(4), head: 9))
        #expect(plan.starts[try room("b")] == .position(at(3), head: 3))
    }

    @Test func `an event stream whose cursor was set back starts again in all rooms; one without a cursor just begins`()
        throws
    {
        let entries = [try entry("a", lastSeq: 9)]
        #expect(try plan([:], list(entries, .setBackOrOld), namesAll: true).starts == [try room("a"): .reset])
        #expect(try plan([:], list(entries, .none), namesAll: true).starts == [try room("a"): .listed])
    }
}
