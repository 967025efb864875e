import ChatEvents
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

/// Logs that PostgreSQL came back with in the place of the one that was sent.
@Suite(.timeLimit(.minutes(1))) struct RoomFeedOtherLogTests: FeedOutcomes {
    @Test func `a page that does not continue what was sent is of another log`() {
        for found in [event(2, log: 1).mark, nil] {
            var feed = feed(at: 2)
            feed.noteHead(4)
            #expect(feed.beginReading() == 2)
            let result = feed.fill(events(3...4), after: found, isLast: true)
            #expect(result.isOtherLog)
            #expect(result.events.isEmpty)
            #expect(feed.position == 2)
        }
    }

    @Test func `a page is compared with what was sent when the read began, and with what was sent since`() {
        var feed = feed(at: 2)
        feed.noteHead(4)
        #expect(feed.beginReading() == 2)
        #expect(receive(3, &feed) == .deliver([3]))
        #expect(feed.fill(events(3...4, log: 1), after: event(2).mark, isLast: true).isOtherLog)
    }

    @Test func `another event in the place of one that was sent holds the feed until the log has confirmed it`() {
        var feed = feed(at: 2)
        #expect(receive(3, &feed) == .deliver([3]))
        #expect(receive(3, log: 1, &feed) == .conflict)
        #expect(receive(4, &feed) == .held)
        #expect(receive(6, &feed) == .wait)
        #expect(receive(5, &feed) == .wait)
        guard let probe = feed.probe(epoch: 7) else {
            Issue.record("a feed that has begun can be compared")
            return
        }
        #expect(probe.asked == [2, 3])
        #expect(probe.verdict([position(head: 6, at: 2), position(head: 6, at: 3)]) == .same(head: 6))
        let waited = [feed.confirm(probe, isCurrent: false), feed.confirm(probe, isCurrent: true)]
        #expect(waited.map(\.seqs) == [[], [4, 5, 6]])
        #expect(receive(7, &feed) == .deliver([7]))
    }

    @Test func `a probe from before the last hold does not release a feed`() {
        var feed = feed(at: 2)
        feed.hold()
        let probe = feed.probe(epoch: 1)
        feed.hold()
        #expect(receive(3, &feed) == .held)
        let waited = probe.map { feed.confirm($0, isCurrent: true) }
        #expect(waited?.isEmpty == true)
        #expect(feed.isHeld)
    }

    @Test func `a held feed believes the log, not what waits`() {
        var feed = feed(at: 2)
        feed.hold()
        #expect(receive(3, log: 1, &feed) == .held)
        #expect(receive(4, log: 1, &feed) == .wait)
        #expect(feed.beginReading() == 2)
        #expect(fill(events(3...3), isLast: true, &feed) == [3])
        #expect(feed.mark == event(3).mark)
        #expect(feed.isHeld)
    }

    @Test func `a feed that begins while a reset is suspected is held`() {
        var feed = RoomFeed()
        #expect(receive(3, &feed) == .drop)
        #expect(feed.start(at: 2, mark: event(2).mark, isVerified: false).isEmpty)
        let probe = feed.probe(epoch: 1)
        let waited = probe.map { feed.confirm($0, isCurrent: true).seqs }
        #expect(waited == [3])
    }

    @Test func `an event that was published without a mark is sent, and says nothing`() throws {
        var feed = feed(at: 2)
        let unknown = try #require(eventWithoutMark(3))
        guard case .deliver(let delivered) = feed.receive(unknown, seq: 3) else {
            Issue.record("the next event was not sent")
            return
        }
        #expect(delivered.count == 1)
        #expect(receive(3, log: 1, &feed) == .drop)
        #expect(feed.mark == nil)
        #expect(feed.probe(epoch: 1)?.asked == [3])
        #expect(feed.probe(epoch: 1)?.marks.isEmpty == true)
        feed.noteHead(4)
        #expect(feed.beginReading() == 3)
        #expect(feed.fill(events(4...4), after: event(3).mark, isLast: true).events.seqs == [4])
    }
}
