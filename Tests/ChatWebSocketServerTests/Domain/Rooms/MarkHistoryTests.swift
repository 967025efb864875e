import ChatEvents
import ChatStorage
import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct MarkHistoryTests {
    private func mark(_ seq: Seq) -> EventMark? { event(seq).mark }

    private func history(from first: Seq, to last: Seq) -> MarkHistory {
        var history = MarkHistory(at: first, mark: mark(first))
        for seq in first..<last { history.append(mark(seq + 1)) }
        return history
    }

    @Test func `marks are kept from the last event that is confirmed on`() {
        var history = history(from: 5, to: 9)
        #expect(history.position == 9)
        #expect(history.last == mark(9))
        #expect(history.known.map(\.seq) == [5, 6, 7, 8, 9])
        #expect(history.ends.map(\.seq) == [5, 9])
        history.confirm(upTo: 8)
        #expect(history.known.map(\.seq) == [8, 9])
        #expect(history[8] == mark(8))
        #expect(history[7] == nil)
        #expect(history[10] == nil)
        history.confirm(upTo: 9)
        #expect(history.ends.map(\.seq) == [9])
        for seq in [Seq(3), 9, 12] { history.confirm(upTo: seq) }
        #expect(history.known.map(\.mark) == [mark(9)])
    }

    @Test func `an event without a mark leaves a place without one`() {
        var history = history(from: 5, to: 6)
        history.append(nil)
        #expect(history.position == 7)
        #expect(history.last == nil)
        #expect(history.known.map(\.seq) == [5, 6])
        #expect(history.ends.isEmpty)
        history.append(mark(8))
        #expect(history.ends.map(\.seq) == [5, 8])
    }

    @Test func `events that the log lacks have no marks`() {
        var history = history(from: 5, to: 6)
        history.skip(upTo: 8)
        #expect(history.position == 8)
        #expect(history.known.map(\.seq) == [5, 6])
        history.skip(upTo: 7)
        #expect(history.position == 8)
        history.skip(upTo: .max - 1)
        #expect(history.position == .max - 1)
        #expect(history.known.isEmpty)
    }

    @Test func `no more marks are kept than the bound`() {
        let last = Seq(3 * MarkHistory.maximumCount)
        let history = history(from: 0, to: last)
        #expect(history.position == last)
        #expect(history.known.count == MarkHistory.maximumCount)
        #expect(history[last - Seq(MarkHistory.maximumCount) + 1] != nil)
        #expect(history[last - Seq(MarkHistory.maximumCount)] == nil)
    }
}

@Suite(.timeLimit(.minutes(1))) struct FeedProbeTests {
    private func probe(_ seqs: Seq..., position: Seq) -> FeedProbe {
        FeedProbe(
            epoch: 1, position: position, holds: 0, marks: seqs.compactMap { seq in event(seq).mark.map { (seq, $0) } })
    }

    @Test func `a log that holds what was sent is the same`() {
        #expect(
            probe(3, 5, position: 5).verdict([position(head: 9, at: 3), position(head: 9, at: 5)]) == .same(head: 9))
        #expect(probe(5, position: 5).verdict([position(head: 5, at: 5)]) == .same(head: 5))
        // An empty room, and one whose last event has no known mark.
        #expect(probe(position: 0).verdict([position(head: 0, at: 0)]) == .same(head: 0))
        #expect(probe(position: 0).verdict([nil]) == .same(head: 0))
        #expect(probe(position: 5).verdict([position(head: 7, at: 5, log: 1)]) == .same(head: 7))
    }

    @Test func `a log that ends before, lacks or has other events, or is gone is another one`() {
        #expect(probe(5, position: 5).verdict([position(head: 4, at: 5)]) == .other(head: 4))
        #expect(probe(position: 5).verdict([position(head: 4, at: 5)]) == .other(head: 4))
        #expect(probe(5, position: 5).verdict([position(head: 9, at: 5, log: 1)]) == .other(head: 9))
        #expect(
            probe(3, 5, position: 5).verdict([position(head: 9, at: 3, log: 1), position(head: 9, at: 5)])
                == .other(head: 9))
        #expect(
            probe(5, position: 5).verdict([LogPosition(head: 9, headMark: nil, mark: nil)]) == .other(head: 9))
        #expect(probe(5, position: 5).verdict([nil]) == .other(head: 0))
    }

    @Test func `a session that begins finds out whether the feed is of its log`() {
        let sent = FeedPosition(epoch: 1, seq: 3, mark: event(3).mark)
        func isOther(head: Seq, _ sentMark: EventMark?, _ sent: FeedPosition?) -> Bool {
            LogReading(head: head, headMark: nil, sent: sent, sentMark: sentMark, interruptions: 0).isOtherThanSent
        }
        #expect(!isOther(head: 5, event(3).mark, sent))
        #expect(isOther(head: 2, event(3).mark, sent))
        #expect(isOther(head: 5, event(3, log: 1).mark, sent))
        #expect(isOther(head: 5, nil, sent))
        #expect(!isOther(head: 5, event(3).mark, FeedPosition(epoch: 1, seq: 3, mark: nil)))
        #expect(!isOther(head: 0, nil, nil))
    }
}
