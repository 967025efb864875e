import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct HistoryCheckChangeFeedTests {
    // MARK: The feed against the logs

    @Test func `a feed with each room's creation and log is clean`() {
        #expect(HistoryCheck(.exampleWithFeed()).isClean)
    }

    @Test func `an event that the feed skips is lost, whatever the readers got`() {
        for place in [1, 3, 5] {
            var history = History.exampleWithFeed()
            history.changeFeed?.remove("room-\(place)")
            #expect(HistoryCheck(history).counts == [.lost: 1])
        }
    }

    @Test func `a room without its creation, and a creation that comes later, are wrong`() {
        var history = History.exampleWithFeed()
        history.changeFeed?.remove("room-0")
        #expect(HistoryCheck(history).counts == [.lost: 1])
        history = .exampleWithFeed()
        // room-0 and room-1.
        history.changeFeed?.events.swapAt(0, 2)
        #expect(HistoryCheck(history).count(.lost) == 1)
        #expect(HistoryCheck(history).count(.reordered) > 0)
    }

    @Test func `a room that the feed does not have is lost, unless it has no event`() {
        var history = History.exampleWithFeed()
        history.changeFeed?.otherLogs = ["another": [.init(seq: 1, identity: .init(kind: History.messageKind))]]
        #expect(HistoryCheck(history).counts == [.lost: 2])
        history.changeFeed?.otherLogs = ["another": []]
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `a room of an earlier run only has to be without a gap`() {
        var history = History.exampleWithFeed()
        let events = (0...3).map { History.FeedEvent.example("old", $0) }
        history.changeFeed?.append(events)
        #expect(HistoryCheck(history).isClean)
        history.changeFeed?.remove("old-2")
        #expect(HistoryCheck(history).counts == [.lost: 1])
    }

    @Test func `an event with another mark or of another kind than the log's is foreign`() {
        for change in [
            { $0.eventMark = "another" }, { $0.identity.messageID = 999 },
        ] as [(inout History.FeedEvent) -> Void] {
            var history = History.exampleWithFeed()
            for event in history.changeFeed?.events.indices ?? 0..<0 {
                guard history.changeFeed?.events[event].cursor == "room-3" else { continue }
                if var changed = history.changeFeed?.events[event] {
                    change(&changed)
                    history.changeFeed?.events[event] = changed
                }
            }
            history.changeFeed?.readers = []
            #expect(HistoryCheck(history).counts == [.foreign: 1])
        }
    }

    // MARK: Readers against the feed

    @Test func `two events of different rooms in another order than at a second reading are reordered`() {
        var history = History.exampleWithFeed()
        #expect(HistoryTampering.swapInFeed.apply(to: &history))
        #expect(HistoryCheck(history).counts == [.reordered: 1])
    }

    @Test func `an event that one reader never got is lost`() {
        for reader in 0...1 {
            var history = History.exampleWithFeed()
            history.changeFeed?.readers[reader].deliveries[1].events.removeFirst()
            #expect(HistoryCheck(history).counts == [.lost: 1])
        }
    }

    @Test func `a delivery may be repeated as a whole, kept the first time or not`() {
        var history = History.exampleWithFeed()
        guard var repeated = history.changeFeed?.readers[1].deliveries[0] else {
            Issue.record("no delivery")
            return
        }
        history.changeFeed?.readers[1].deliveries.insert(repeated, at: 1)
        #expect(HistoryCheck(history).isClean)
        repeated.isKept = false
        history.changeFeed?.readers[1].deliveries.insert(repeated, at: 0)
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `a delivery that was not kept and does not come again is lost`() {
        var history = History.exampleWithFeed()
        history.changeFeed?.readers[1].deliveries[1].isKept = false
        let due = history.changeFeed?.readers[1].deliveries[1].events.count
        #expect(HistoryCheck(history).counts == [.lost: due])
    }

    @Test func `a delivery repeated in part, and an event in two deliveries, are doubled`() {
        var history = History.exampleWithFeed()
        if var part = history.changeFeed?.readers[1].deliveries[0] {
            part.events.removeLast()
            history.changeFeed?.readers[1].deliveries.insert(part, at: 1)
        }
        #expect(HistoryCheck(history).counts == [.doubled: 1])
        history = .exampleWithFeed()
        #expect(HistoryTampering.repeatInFeed.apply(to: &history))
        #expect(HistoryCheck(history).counts == [.doubled: 1])
    }

    @Test func `an event at a cursor that a second reading does not have is foreign`() {
        var history = History.exampleWithFeed()
        history.changeFeed?.readers[0].deliveries[0].events[1].cursor = "moved"
        #expect(HistoryCheck(history).counts == [.foreign: 1, .lost: 1])
    }

    @Test func `in the end a reader knows what each message holds, whatever it held when it was first read`() {
        var history = History.exampleWithFeed()
        history.logs["room"]?[4].contentJson = "edited"
        #expect(HistoryCheck(history).counts == [.foreign: 2])
        let edit = History.Identity(kind: History.editKind, messageID: 105)
        history.logs["room"]?.append(.init(seq: 6, identity: edit, contentJson: "edited"))
        history.changes = [.init(room: "room", identity: edit, isAcknowledged: true)]
        for index in history.sessions.indices {
            history.sessions[index].sightings.append(.init(seq: 6, identity: edit, at: 0))
        }
        history.changeFeed?.append([
            .init(cursor: "room-6", room: "room", seq: 6, identity: edit, contentJson: "edited")
        ])
        #expect(HistoryCheck(history).isClean)
    }

    // MARK: Cursors

    @Test func `a cursor that leads to other events, or nowhere, is reported`() {
        var history = History.exampleWithFeed()
        history.changeFeed?.continuations = [.init(cursor: "room-1", next: ["lobby-1", "room-2"])]
        #expect(HistoryCheck(history).isClean)
        history.changeFeed?.continuations = [.init(cursor: "room-1", next: ["room-2", "lobby-1"])]
        #expect(HistoryCheck(history).counts == [.reordered: 1])
        history.changeFeed?.continuations = [.init(cursor: "gone", next: [])]
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }

    // MARK: Delays

    @Test func `a delay counts from the acknowledgement to the first arrival at readers that were there all the time`()
    {
        var history = History.exampleWithFeed()
        for index in history.posts.indices { history.posts[index].outcome = .unknown }
        history.posts[1].outcome = .acknowledged(.init(seq: 2, messageID: 102, at: 1000, server: 1))
        history.changeFeed?.readers[0].deliveries[0].at = 5000
        history.changeFeed?.readers[1].deliveries[0].at = 9000
        #expect(history.feedDelays == ["pull": 4000, "webhook": 8000])
        history.changeFeed?.readers[1].isMeasured = false
        #expect(history.feedDelays["webhook"] == nil)
        if var again = history.changeFeed?.readers[0].deliveries[0] {
            again.at = 70_000
            history.changeFeed?.readers[0].deliveries.append(again)
        }
        #expect(history.feedDelays == ["pull": 4000])
    }
}

extension History {
    /// The example with its feed, which a reader and a webhook got in two deliveries each.
    static func exampleWithFeed() -> History {
        var history = example()
        history.changeFeed = .example(history.logs)
        return history
    }
}

extension History.ChangeFeed {
    /// The feed of ``History/example()``: the events of both rooms by turns.
    fileprivate static func example(_ logs: [String: [History.LogEntry]]) -> History.ChangeFeed {
        var events: [History.FeedEvent] = []
        for seq in 0...5 {
            for (room, log) in logs.sorted(by: { $0.key > $1.key }) {
                guard seq > 0 else {
                    events.append(.example(room, 0))
                    continue
                }
                guard let entry = log.first(where: { $0.seq == seq }) else { continue }
                events.append(.init(cursor: "\(room)-\(seq)", room: room, seq: seq, identity: entry.identity))
            }
        }
        let half = events.count / 2
        let parts = [Array(events[..<half]), Array(events[half...])]
        return .init(
            events: events,
            readers: [
                .init(name: "pull", deliveries: parts.map { .init(events: $0, at: 0) }),
                .init(
                    name: "webhook",
                    deliveries: parts.enumerated().map { .init(deliveryID: "dl_\($0)", events: $1, at: 0) }),
            ])
    }

    /// Takes an event from the feed and from all readers.
    fileprivate mutating func remove(_ cursor: String) {
        events.removeAll { $0.cursor == cursor }
        for reader in readers.indices {
            for delivery in readers[reader].deliveries.indices {
                readers[reader].deliveries[delivery].events.removeAll { $0.cursor == cursor }
            }
        }
    }

    /// Adds events to the feed and to the last delivery of all readers.
    fileprivate mutating func append(_ more: [History.FeedEvent]) {
        events += more
        for reader in readers.indices {
            readers[reader].deliveries[readers[reader].deliveries.count - 1].events += more
        }
    }
}

extension History.FeedEvent {
    /// The creation of a room, or a message in it.
    fileprivate static func example(_ room: String, _ seq: Int) -> History.FeedEvent {
        .init(
            cursor: "\(room)-\(seq)", room: room, seq: seq,
            identity: .init(kind: seq == 0 ? History.roomCreationKind : History.messageKind))
    }
}
