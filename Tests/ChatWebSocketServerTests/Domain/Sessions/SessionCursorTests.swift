import ChatEvents
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct SessionCursorTests {
    private func tail(_ seqs: ClosedRange<Seq>, from position: Seq = 0, log: Int64 = 0) -> RoomTail {
        var tail = RoomTail(position: position, mark: mark(position, log: log))
        _ = tail.append(events(seqs, log: log))
        return tail
    }

    private func tail(at position: Seq, log: Int64 = 0) -> RoomTail {
        RoomTail(position: position, mark: mark(position, log: log))
    }

    private func mark(_ seq: Seq, log: Int64 = 0) -> EventMark? { seq > 0 ? event(seq, log: log).mark : nil }

    /// A cursor that joined a loop at this position.
    private func cursor(admissionHead head: Seq, lastSeq: Seq? = nil, position: Seq? = nil) -> SessionCursor {
        var cursor = SessionCursor(admissionHead: head, lastSeq: lastSeq, mark: mark(lastSeq ?? head))
        cursor.begin(in: tail(at: position ?? head))
        return cursor
    }

    private func pageRead(_ cursor: inout SessionCursor, from first: Seq?, position: Seq) -> SessionCursor.PageAction {
        cursor.pageRead(from: first, mark: mark(cursor.seq), position: position)
    }

    /// The steps of a cursor until it has to wait.
    private func steps(_ cursor: inout SessionCursor, in tail: RoomTail) -> [String] {
        var steps: [String] = []
        for _ in 0..<1_000 {
            switch cursor.next(in: tail) {
            case .send(let event): steps.append("\(event.seq ?? 0)")
            case .readLog(let seq): steps.append("read \(seq)")
            case .goLive(let announces): steps.append(announces ? "caught up \(cursor.seq)" : "live")
            case .otherLog:
                steps.append("other log")
                return steps
            case .wait: return steps
            }
        }
        return steps
    }

    // MARK: The beginning

    @Test func `without lastSeq a cursor is live at once, where its loop is not ahead`() {
        #expect(cursor(admissionHead: 5, position: 5).phase == .live)
        #expect(cursor(admissionHead: 5, position: 3).phase == .live)
        #expect(cursor(admissionHead: 5, position: 6).phase == .catchingUp)
    }

    @Test func `with lastSeq a cursor catches up, also if nothing is missing`() {
        var cursor = cursor(admissionHead: 5, lastSeq: 5)
        #expect(cursor.phase == .catchingUp)
        #expect(steps(&cursor, in: tail(at: 5)) == ["caught up 5"])
        #expect(cursor.phase == .live)
        #expect(steps(&cursor, in: tail(at: 5)) == [])
    }

    @Test func `what its loop dispatched since the admission is sent without an announcement`() {
        var cursor = cursor(admissionHead: 5, position: 7)
        #expect(steps(&cursor, in: tail(6...7, from: 5)) == ["6", "7", "live"])
    }

    // MARK: Live

    @Test func `a live cursor takes a batch that continues where it is`() {
        var cursor = cursor(admissionHead: 5)
        #expect(cursor.takeBatch(after: 5, upTo: 7, mark: mark(7)) == true)
        #expect(cursor.takeBatch(after: 5, upTo: 7, mark: mark(7)) == false)
        #expect(cursor.takeBatch(after: 8, upTo: 9, mark: mark(9)) == false)
        #expect(cursor.seq == 7)
    }

    @Test func `a cursor ahead of its loop takes what it does not have, and events without seq`() throws {
        var cursor = cursor(admissionHead: 5, position: 3)
        #expect(cursor.takeBatch(after: 3, upTo: 6, mark: mark(6)) == false)
        let ephemeral = try #require(MessageEvent(json: ByteBuffer(string: #"{"eventType":"x"}"#), of: hall))
        let taken = (events(4...6) + [ephemeral]).map { cursor.takeDispatched($0) }
        #expect(taken == [.skip, .skip, .send, .send])
        #expect(cursor.seq == 6)
    }

    @Test func `a cursor that catches up takes nothing that is dispatched`() {
        var cursor = cursor(admissionHead: 5, lastSeq: 5)
        #expect(cursor.takeBatch(after: 5, upTo: 6, mark: mark(6)) == false)
        #expect(cursor.takeDispatched(event(6)) == .skip)
        #expect(cursor.seq == 5)
    }

    @Test func `a filled socket makes a live cursor catch up, without an announcement`() {
        var cursor = cursor(admissionHead: 5)
        cursor.socketFilled()
        #expect(cursor.phase == .catchingUp)
        #expect(steps(&cursor, in: tail(6...6, from: 5)) == ["6", "live"])
    }

    @Test func `a socket that fills again while it catches up does not lose the announcement`() {
        var cursor = cursor(admissionHead: 5, lastSeq: 5)
        cursor.socketFilled()
        #expect(steps(&cursor, in: tail(at: 5)) == ["caught up 5"])
    }

    // MARK: Catching up

    @Test func `the log is read for what the ring does not hold, once at a time`() {
        var cursor = cursor(admissionHead: 6, lastSeq: 2)
        let tail = tail(5...6, from: 4)
        #expect(steps(&cursor, in: tail) == ["read 2"])
        #expect(steps(&cursor, in: tail) == [])
        #expect(pageRead(&cursor, from: 3, position: 6) == .send)
        let taken = events(3...4).map { cursor.take($0) }
        #expect(taken == [true, true])
        #expect(steps(&cursor, in: tail) == ["5", "6", "caught up 6"])
    }

    @Test func `the announcement waits for ready's seq, whatever the loop has dispatched`() {
        var cursor = cursor(admissionHead: 6, lastSeq: 6, position: 2)
        #expect(steps(&cursor, in: tail(at: 2)) == ["caught up 6"])
        cursor = self.cursor(admissionHead: 6, lastSeq: 4, position: 2)
        #expect(steps(&cursor, in: tail(at: 2)) == ["read 4"])
    }

    @Test func `a page that was not asked for, or comes twice, is ignored`() {
        var cursor = cursor(admissionHead: 6, lastSeq: 2)
        #expect(pageRead(&cursor, from: 3, position: 6) == .ignore)
        _ = cursor.next(in: tail(at: 6))
        #expect(pageRead(&cursor, from: 3, position: 6) == .send)
        #expect(pageRead(&cursor, from: 3, position: 6) == .ignore)
        let taken = [4, 3, 3, 5, 4].map { cursor.take(event($0)) }
        #expect(taken == [false, true, false, false, true])
    }

    @Test func `after a failed read the log is read again from the same place`() {
        var cursor = cursor(admissionHead: 6, lastSeq: 2)
        #expect(steps(&cursor, in: tail(at: 6)) == ["read 2"])
        cursor.retry()
        #expect(steps(&cursor, in: tail(at: 6)) == ["read 2"])
    }

    @Test(arguments: [5, nil] as [Seq?])
    func `events that the log lacks are skipped at the third read`(first: Seq?) {
        var cursor = cursor(admissionHead: 6, lastSeq: 2)
        for pause in LogGap.pauses {
            #expect(steps(&cursor, in: tail(at: 6)) == ["read 2"])
            #expect(pageRead(&cursor, from: first, position: 6) == .readAgain(after: pause))
            #expect(steps(&cursor, in: tail(at: 6)) == [])
            cursor.retry()
        }
        #expect(steps(&cursor, in: tail(at: 6)) == ["read 2"])
        // Up to the next event of the log, or to the end if there is none.
        let end = first.map { $0 - 1 } ?? 6
        #expect(pageRead(&cursor, from: first, position: 6) == .skipGap(upTo: end))
        #expect(cursor.seq == end)
    }

    // MARK: Another log

    @Test func `a page that does not continue what was sent is of another log`() {
        for found in [mark(2, log: 1), nil] {
            var cursor = cursor(admissionHead: 6, lastSeq: 2)
            #expect(steps(&cursor, in: tail(at: 6)) == ["read 2"])
            #expect(cursor.pageRead(from: 3, mark: found, position: 6) == .otherLog)
            // Also an empty page, instead of the pauses of a gap.
            #expect(cursor.pageRead(from: nil, mark: found, position: 6) == .otherLog)
        }
        // A page is compared with what was sent last, not with where the session began.
        var cursor = cursor(admissionHead: 6, lastSeq: 2)
        #expect(steps(&cursor, in: tail(at: 6)) == ["read 2"])
        #expect(pageRead(&cursor, from: 3, position: 6) == .send)
        for event in events(3...4, log: 1) { _ = cursor.take(event) }
        #expect(steps(&cursor, in: tail(at: 6)) == ["read 4"])
        #expect(cursor.pageRead(from: 5, mark: mark(4), position: 6) == .otherLog)
    }

    @Test func `a cursor that does not know its mark believes the log`() {
        var cursor = SessionCursor(admissionHead: 6, lastSeq: 2)
        cursor.begin(in: tail(at: 6))
        #expect(steps(&cursor, in: tail(at: 6)) == ["read 2"])
        #expect(cursor.pageRead(from: 3, mark: mark(2, log: 1), position: 6) == .send)
    }

    @Test func `where a cursor meets its loop both have the same event`() {
        var cursor = cursor(admissionHead: 5, lastSeq: 5)
        #expect(steps(&cursor, in: tail(at: 5, log: 1)) == ["other log"])
        #expect(cursor.phase == .catchingUp)
        // A session without `lastSeq` is not live before it has met its loop.
        cursor = SessionCursor(admissionHead: 5, lastSeq: nil, mark: mark(5))
        cursor.begin(in: tail(at: 5, log: 1))
        #expect(steps(&cursor, in: tail(at: 5, log: 1)) == ["other log"])
        // Recent events of another log are not sent.
        cursor = self.cursor(admissionHead: 6, lastSeq: 4)
        #expect(steps(&cursor, in: tail(4...6, from: 3, log: 1)) == ["other log"])
    }

    @Test func `an event in the place of another one that was sent is of another log`() {
        var cursor = cursor(admissionHead: 5, position: 3)
        let actions = [event(4, log: 1), event(5), event(5, log: 1)].map { cursor.takeDispatched($0) }
        #expect(actions == [.skip, .skip, .otherLog])
        if let unknown = eventWithoutMark(5) {
            let action = cursor.takeDispatched(unknown)
            #expect(action == .skip)
        }
    }

    @Test func `a cursor that is ahead of its loop reads the log if a reset is suspected, and continues`() {
        var cursor = cursor(admissionHead: 5, position: 3)
        cursor.verify(position: 3)
        #expect(cursor.phase == .catchingUp)
        #expect(steps(&cursor, in: tail(at: 3)) == ["read 5"])
        #expect(pageRead(&cursor, from: nil, position: 3) == .send)
        #expect(steps(&cursor, in: tail(at: 3)) == ["live"])
        cursor.verify(position: 3)
        #expect(steps(&cursor, in: tail(at: 3)) == ["read 5"])
        #expect(cursor.pageRead(from: nil, mark: nil, position: 3) == .otherLog)
    }

    @Test func `a cursor that is where its loop is, or behind, reads nothing if a reset is suspected`() {
        var live = cursor(admissionHead: 5)
        live.verify(position: 5)
        #expect(live.phase == .live)
        var ended = cursor(admissionHead: 5)
        ended.end()
        ended.verify(position: 3)
        #expect(ended.phase == .ended)
    }

    @Test func `a live cursor that falls behind knows what it was sent last`() {
        var cursor = cursor(admissionHead: 5)
        #expect(cursor.takeBatch(after: 5, upTo: 7, mark: mark(7)) == true)
        cursor.socketFilled()
        #expect(steps(&cursor, in: tail(at: 9)) == ["read 7"])
        #expect(cursor.pageRead(from: 8, mark: mark(7, log: 1), position: 9) == .otherLog)
    }

    // MARK: The end

    @Test(arguments: [nil, 2] as [Seq?])
    func `an ended cursor sends nothing and stays ended`(lastSeq: Seq?) {
        var cursor = cursor(admissionHead: 6, lastSeq: lastSeq)
        _ = cursor.next(in: tail(at: 6))
        cursor.end()
        cursor.socketFilled()
        cursor.retry()
        cursor.begin(in: tail(at: 0))
        #expect(cursor.phase == .ended)
        #expect(cursor.takeBatch(after: cursor.seq, upTo: 9, mark: mark(9)) == false)
        #expect(cursor.takeDispatched(event(9)) == .skip)
        #expect(pageRead(&cursor, from: 3, position: 6) == .ignore)
        #expect(cursor.take(event(cursor.seq + 1)) == false)
        #expect(steps(&cursor, in: tail(3...6)) == [])
    }

    @Test func `the end of a membership counts if it is after the admission and the user's own`() throws {
        func left(_ seq: Seq, _ user: Int64) throws -> MessageEvent {
            let json = #"{"eventType":"member_left","seq":\#(seq),"roomId":"hall","userId":\#(user)}"#
            return try #require(MessageEvent(json: ByteBuffer(string: json), of: hall))
        }
        let cursor = cursor(admissionHead: 6, lastSeq: 2)
        #expect(cursor.isEnded(by: try left(7, 1), of: UserID(1)))
        #expect(!cursor.isEnded(by: try left(6, 1), of: UserID(1)))
        #expect(!cursor.isEnded(by: try left(7, 2), of: UserID(1)))
        #expect(!cursor.isEnded(by: try left(7, 1), of: nil))
        #expect(!cursor.isEnded(by: event(7), of: UserID(1)))
    }
}

@Suite(.timeLimit(.minutes(1))) struct SessionIDTests {
    @Test func `an id is 16 characters, of which each takes all values`() {
        let ids = (0..<2_000).map { _ in SessionID.random().description }
        for index in 0..<16 {
            #expect(Set(ids.map { Array($0)[index] }) == Set("abcdefghjkmnpqrstvwxyz0123456789"))
        }
        #expect(ids.allSatisfy { $0.count == 16 })
        #expect(Set(ids).count == ids.count)
    }
}
