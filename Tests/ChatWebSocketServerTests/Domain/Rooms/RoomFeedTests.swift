import ChatEvents
import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct RoomFeedTests: FeedOutcomes {
    // MARK: In order

    @Test func `the next event is sent at once`() {
        var feed = feed(at: 0)
        #expect(receive(1, &feed) == .deliver([1]))
        #expect(receive(2, &feed) == .deliver([2]))
        #expect(feed.position == 2)
        #expect(!feed.isBehind)
    }

    @Test func `an event that was sent is dropped`() {
        var feed = feed(at: 5)
        #expect(receive(5, &feed) == .drop)
        #expect(receive(6, &feed) == .deliver([6]))
        #expect(receive(6, &feed) == .drop)
        #expect(receive(1, &feed) == .drop)
        #expect(!feed.isBehind)
    }

    @Test func `an early event waits for the missing ones`() {
        var feed = feed(at: 0)
        #expect(receive(3, &feed) == .wait)
        #expect(receive(5, &feed) == .wait)
        #expect(receive(3, &feed) == .wait)
        #expect(feed.isBehind)
        #expect(receive(1, &feed) == .deliver([1]))
        #expect(receive(2, &feed) == .deliver([2, 3]))
        #expect(feed.isBehind)
        #expect(receive(4, &feed) == .deliver([4, 5]))
        #expect(!feed.isBehind)
        #expect(receive(5, &feed) == .drop)
    }

    // MARK: The log

    @Test func `missing events are read from the log`() {
        var feed = feed(at: 0)
        #expect(receive(4, &feed) == .wait)
        #expect(feed.beginReading() == 0)
        #expect(fill(events(1...3), isLast: false, &feed) == [1, 2, 3, 4])
        #expect(feed.position == 4)
        #expect(!feed.isBehind)
    }

    @Test func `an event that arrives while the log is read is not sent twice`() {
        var feed = feed(at: 0)
        #expect(receive(3, &feed) == .wait)
        #expect(feed.beginReading() == 0)
        #expect(receive(1, &feed) == .deliver([1]))
        #expect(receive(2, &feed) == .deliver([2, 3]))
        #expect(fill(events(1...4), isLast: true, &feed) == [4])
        #expect(receive(4, &feed) == .drop)
    }

    @Test func `a page that ends before the next early event is followed by another`() {
        var feed = feed(at: 0)
        #expect(receive(10, &feed) == .wait)
        #expect(feed.beginReading() == 0)
        #expect(fill(events(1...4), isLast: false, &feed) == [1, 2, 3, 4])
        #expect(feed.beginReading() == 4)
        #expect(fill(events(5...9), isLast: false, &feed) == [5, 6, 7, 8, 9, 10])
        #expect(!feed.isBehind)
    }

    @Test func `the log's head reveals what Redis did not deliver`() {
        var feed = feed(at: 2)
        feed.noteHead(2)
        #expect(!feed.isBehind)
        feed.noteHead(4)
        #expect(feed.beginReading() == 2)
        #expect(fill(events(3...4), isLast: true, &feed) == [3, 4])
        #expect(!feed.isBehind)
        feed.noteHead(1)
        #expect(!feed.isBehind)
    }

    @Test func `a page before the feed has begun is ignored`() {
        var feed = RoomFeed()
        #expect(feed.beginReading() == nil)
        #expect(fill(events(1...3), isLast: true, &feed).isEmpty)
        #expect(feed.position == nil)
    }

    // MARK: Events that are not in the log

    @Test func `an event that is not in the log is dropped`() {
        var feed = feed(at: 0)
        #expect(receive(1_000_000, &feed) == .wait)
        #expect(feed.beginReading() == 0)
        let result = feed.fill(events(1...2), after: nil, isLast: true)
        #expect(result.events.seqs == [1, 2])
        #expect(result.phantoms == 1)
        #expect(!feed.isBehind)
        #expect(receive(3, &feed) == .deliver([3]))
    }

    @Test func `of two early events only the one that is not in the log is dropped`() {
        var feed = feed(at: 0)
        #expect(receive(50, &feed) == .wait)
        #expect(feed.beginReading() == 0)
        // Committed and published while the log is read.
        #expect(receive(3, &feed) == .wait)
        let result = feed.fill(events(1...1), after: nil, isLast: true)
        #expect(result.events.seqs == [1])
        #expect(result.phantoms == 1)
        #expect(feed.isBehind)
        #expect(receive(2, &feed) == .deliver([2, 3]))
        #expect(!feed.isBehind)
    }

    @Test(arguments: [Seq.max, Seq.max - 1])
    func `a seq at the end of the number range does not trap`(seq: Seq) {
        var feed = feed(at: 0)
        #expect(receive(seq, &feed) == .wait)
        #expect(feed.beginReading() == 0)
        #expect(fill([], isLast: true, &feed).isEmpty)
        #expect(receive(1, &feed) == .deliver([1]))
        #expect(!feed.isBehind)
    }

    @Test func `a head that arrives while the log is read is not taken for a phantom event`() {
        var feed = feed(at: 0)
        feed.noteHead(1)
        #expect(feed.beginReading() == 0)
        #expect(receive(3, &feed) == .wait)
        #expect(fill(events(1...1), isLast: true, &feed) == [1])
        #expect(feed.isBehind)
        #expect(receive(2, &feed) == .deliver([2, 3]))
    }

    // MARK: Events that the log lacks

    @Test func `a gap in the log is reported, and stepped over on demand`() {
        var feed = feed(at: 0)
        feed.noteHead(6)
        #expect(receive(7, &feed) == .wait)
        for _ in 1...2 {
            let position = feed.position
            #expect(feed.beginReading() == position)
            let page = events([1, 4, 5, 6])
            let result = feed.fill(page, after: feed.mark, isLast: false)
            #expect(result.gapEnd == 3)
            #expect(feed.position == 1)
            #expect(feed.isBehind)
        }
        #expect(stepOver(upTo: 3, &feed).isEmpty)
        #expect(feed.beginReading() == 3)
        #expect(fill(events(4...6), isLast: true, &feed) == [4, 5, 6, 7])
        #expect(!feed.isBehind)
    }

    @Test func `the log's last event may be the one that it lacks`() {
        var feed = feed(at: 2)
        feed.noteHead(3)
        #expect(feed.beginReading() == 2)
        let result = feed.fill([], after: feed.mark, isLast: true)
        #expect(result.gapEnd == 3)
        #expect(result.phantoms == 0)
        #expect(receive(4, &feed) == .wait)
        #expect(stepOver(upTo: 3, &feed) == [4])
        #expect(!feed.isBehind)
    }

    @Test func `a head that arrives while the log is read is no gap`() {
        var feed = feed(at: 0)
        feed.noteHead(1)
        #expect(feed.beginReading() == 0)
        feed.noteHead(2)
        let result = feed.fill(events(1...1), after: nil, isLast: true)
        #expect(result.gapEnd == nil)
        #expect(feed.isBehind)
    }

    @Test func `an event that arrived is not sent again by stepping over`() {
        var feed = feed(at: 5)
        #expect(stepOver(upTo: 5, &feed).isEmpty)
        #expect(stepOver(upTo: 3, &feed).isEmpty)
        #expect(feed.position == 5)
    }

    // MARK: Bounds

    @Test func `early events beyond the bound are read from the log later`() {
        var feed = feed(at: 0)
        let last = Seq(RoomFeed.maximumEarly + 10)
        for seq in 2...last { #expect(receive(seq, &feed) == .wait) }
        guard case .deliver(let delivered) = receive(1, &feed) else {
            Issue.record("the next in line was not sent")
            return
        }
        #expect(delivered.count == RoomFeed.maximumEarly && delivered.last == Seq(RoomFeed.maximumEarly))
        #expect(feed.isBehind)
        #expect(feed.beginReading() == delivered.last)
        #expect(fill(events(delivered.count.seq + 1...last), isLast: true, &feed).last == last)
        #expect(!feed.isBehind)
    }

    @Test func `early events are bounded in bytes and in distance`() {
        var feed = feed(at: 0)
        let size = RoomFeed.maximumEarlyBytes / 4
        for seq in Seq(2)...6 { #expect(!isDelivered(feed.receive(event(seq, size: size), seq: seq))) }
        #expect(receive(1, &feed) == .deliver([1, 2, 3, 4]))
        let far = 4 + Seq(RoomFeed.maximumEarly) + 1
        #expect(receive(far, &feed) == .wait)
        #expect(feed.beginReading() == 4)
        #expect(fill(events(5...far - 1), isLast: false, &feed).last == far - 1)
        #expect(feed.beginReading() == far - 1)
    }

    private func isDelivered(_ action: RoomFeed.Action) -> Bool {
        if case .deliver = action { true } else { false }
    }

    // MARK: The beginning

    @Test func `events that arrive before the feed begins are sorted in`() {
        var feed = RoomFeed()
        for seq in [Seq(4), 3, 6, 1] { #expect(receive(seq, &feed) == .drop) }
        #expect(!feed.isBehind)
        #expect(feed.start(at: 2, mark: event(2).mark).seqs == [3, 4])
        #expect(feed.position == 4)
        #expect(feed.isBehind)
        #expect(receive(5, &feed) == .deliver([5, 6]))
    }

    @Test func `a feed begins once`() {
        var feed = feed(at: 7)
        #expect(feed.start(at: 3, mark: nil).isEmpty)
        #expect(feed.start(at: 9, mark: nil).isEmpty)
        #expect(feed.position == 7)
    }

    // MARK: Any order

    /// Events get lost, arrive late, twice or before the feed begins, and some are not in the log; the log is read at times,
    /// and at the end its head arrives, as it does every few seconds.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `whatever the order of arrival, each event is sent once and in order`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let last = Seq.random(in: 1...60, using: &random)
        let start = Seq.random(in: 0...min(5, last), using: &random)
        var arrivals = (1...last).filter { _ in Int.random(in: 0..<10, using: &random) > 0 }
        arrivals += arrivals.filter { _ in Int.random(in: 0..<5, using: &random) == 0 }
        if Bool.random(using: &random) { arrivals.shuffle(using: &random) }
        if Bool.random(using: &random) { arrivals.insert(last + .random(in: 100...9_999, using: &random), at: 0) }

        var feed = RoomFeed()
        var sent: [Seq] = []
        var committed = start
        let begin = Int.random(in: 0...arrivals.count, using: &random)
        /// A page that is being read: where from, and what the log held.
        var reading: (after: Seq, head: Seq)?
        func finishReading(_ reading: (after: Seq, head: Seq)) {
            let end = min(reading.head, reading.after + 7)
            let page = reading.after < end ? events(reading.after + 1...end) : []
            let mark = reading.after > 0 ? event(reading.after).mark : nil
            sent += feed.fill(page, after: mark, isLast: end == reading.head).events.seqs
        }
        for (index, seq) in arrivals.enumerated() {
            if index == begin { sent += feed.start(at: start, mark: start > 0 ? event(start).mark : nil).seqs }
            // It is published after it was committed.
            if seq <= last { committed = max(committed, seq) }
            if case .deliver(let delivered) = feed.receive(event(seq), seq: seq) { sent += delivered.seqs }
            if let page = reading, Bool.random(using: &random) {
                finishReading(page)
                reading = nil
            } else if reading == nil, let position = feed.beginReading() {
                reading = (position, committed)
            }
        }
        sent += feed.start(at: start, mark: start > 0 ? event(start).mark : nil).seqs
        if let page = reading { finishReading(page) }
        feed.noteHead(last)
        for _ in 0..<40 {
            guard let position = feed.beginReading() else { break }
            finishReading((position, last))
        }
        #expect(sent == (start < last ? Array(start + 1...last) : []))
        #expect(!feed.isBehind)
    }
}

extension Int {
    fileprivate var seq: Seq { Seq(self) }
}
