import ChatEvents
import CommonUtil

@testable import ChatWebSocketServer

/// A reaction of a feed that can be compared.
enum FeedOutcome: Equatable {
    case deliver([Seq])
    case wait
    case held
    case drop
    case conflict
}

/// What tests of feeds do with them.
protocol FeedOutcomes {}

extension FeedOutcomes {
    func receive(_ seq: Seq, log: Int64 = 0, _ feed: inout RoomFeed) -> FeedOutcome {
        switch feed.receive(event(seq, log: log), seq: seq) {
        case .deliver(let events): .deliver(events.seqs)
        case .wait: .wait
        case .held: .held
        case .drop: .drop
        case .conflict: .conflict
        }
    }

    /// Fills a feed with a page of the log that continues where the last read began.
    func fill(_ events: [MessageEvent], isLast: Bool, _ feed: inout RoomFeed) -> [Seq] {
        feed.fill(events, after: mark(before: events, feed), isLast: isLast).events.seqs
    }

    func mark(before events: [MessageEvent], _ feed: RoomFeed) -> EventMark? {
        guard let first = events.first?.seq else { return feed.mark }
        return first > 1 ? event(first - 1).mark : nil
    }

    func stepOver(upTo seq: Seq, _ feed: inout RoomFeed) -> [Seq] { feed.stepOver(upTo: seq).seqs }

    func feed(at head: Seq) -> RoomFeed {
        var feed = RoomFeed()
        _ = feed.start(at: head, mark: head > 0 ? event(head).mark : nil)
        return feed
    }
}
