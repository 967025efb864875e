import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct HistoryCheckTests {
    @Test func `a good history is clean`() {
        let check = HistoryCheck(.example())
        #expect(check.isClean)
        #expect(check.examples.isEmpty)
    }

    // MARK: The log against the posts

    @Test func `an acknowledged message that is not in the log is lost`() {
        var history = History.example()
        history.posts.append(.example(number: 6, seq: 6))
        #expect(HistoryCheck(history).count(.lost) == 1)
    }

    @Test func `a hole in the log is a loss`() {
        var history = History.example()
        history.logs["room"]?.remove(at: 2)
        // The acknowledged message itself and the hole; no session is owed what the log does not have.
        #expect(HistoryCheck(history).count(.lost) == 2)
    }

    @Test(arguments: [true, false])
    func `a message that is stored twice is doubled, keyed or not, acknowledged or not`(isKeyed: Bool) {
        for outcome in [History.Post.Outcome.unknown, .acknowledged(.init(seq: 5, messageID: 105, at: 0, server: 1))] {
            var history = History.example()
            history.posts[4].isKeyed = isKeyed
            history.posts[4].outcome = outcome
            history.logs["room"]?.append(.example(number: 5, seq: 6, messageID: 106))
            for index in history.sessions.indices {
                history.sessions[index].sightings.append(.example(seq: 6, messageID: 106))
            }
            let check = HistoryCheck(history)
            #expect(check.count(.doubled) == 1)
            #expect(check.counts.count == 1)
        }
    }

    @Test func `a post without an answer may be in the log or not`() {
        var history = History.example()
        history.posts[4].outcome = .unknown
        history.posts.append(.example(number: 6, seq: nil))
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `a message at another place than it was acknowledged for is reordered`() {
        var history = History.example()
        history.posts[4].outcome = .acknowledged(.init(seq: 4, messageID: 105, at: 0, server: 1))
        #expect(HistoryCheck(history).count(.reordered) == 1)
    }

    @Test func `a writer's messages are in the order in which it sent them`() {
        var history = History.example()
        history.posts.swapAt(0, 1)
        #expect(HistoryCheck(history).count(.reordered) == 1)
        history.posts[0].writer = 7
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `a message that no client sent, and one that was refused, must not be in the log`() {
        var history = History.example()
        history.posts.removeLast()
        #expect(HistoryCheck(history).count(.foreign) == 1)
        history = .example()
        history.posts[4].outcome = .refused(status: 422)
        #expect(HistoryCheck(history).count(.foreign) == 1)
    }

    @Test func `an event that is no message has its number like any other`() {
        var history = History.example()
        let edited = History.Identity(kind: "message_edited", messageID: 101)
        let joined = History.Identity(kind: History.joinKind, userID: 9)
        for (offset, identity) in [edited, joined].enumerated() {
            history.logs["room"]?.append(.init(seq: 6 + offset, identity: identity))
            for index in history.sessions.indices {
                history.sessions[index].sightings.append(.init(seq: 6 + offset, identity: identity, at: 0))
            }
        }
        history.changes = [.init(room: "room", identity: edited, isAcknowledged: true)]
        history.memberChanges.append(.init(room: "room", identity: joined, isAcknowledged: true))
        #expect(HistoryCheck(history).isClean)
        history.sessions[0].sightings[6].identity.userID = 8
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }

    @Test
    func `a change is in the log once if it was acknowledged, else at most once, and none without being asked for`() {
        let deleted = History.Identity(kind: History.deletionKind, messageID: 101)
        var history = History.example()
        history.changes = [.init(room: "room", identity: deleted)]
        #expect(HistoryCheck(history).isClean)
        history.changes[0].isAcknowledged = true
        #expect(HistoryCheck(history).counts == [.lost: 1])
        history.sessions = []
        history.logs["room"]?.append(.init(seq: 6, identity: deleted))
        #expect(HistoryCheck(history).isClean)
        history.logs["room"]?.append(.init(seq: 7, identity: deleted))
        #expect(HistoryCheck(history).counts == [.doubled: 1])
        history.changes = []
        #expect(HistoryCheck(history).counts == [.foreign: 2])
    }

    // MARK: A session against the log

    @Test func `an event that a session never got is lost, also the last one`() {
        for index in 0..<5 {
            var history = History.example()
            history.sessions[0].sightings.remove(at: index)
            let check = HistoryCheck(history)
            #expect(check.count(.lost) == 1)
            #expect(check.counts.count == 1)
        }
    }

    @Test func `an event that a session got twice is doubled`() {
        var history = History.example()
        history.sessions[0].sightings.append(history.sessions[0].sightings[1])
        #expect(HistoryCheck(history).counts == [.doubled: 1])
    }

    @Test func `events in another order are reordered`() {
        var history = History.example()
        history.sessions[0].sightings.swapAt(1, 2)
        #expect(HistoryCheck(history).counts == [.reordered: 1])
    }

    @Test func `another event at a seq is foreign`() {
        var history = History.example()
        history.sessions[0].sightings[3].identity.messageID = 999
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }

    @Test func `a session must get what comes after its start, and nothing else`() {
        var history = History.example()
        history.sessions[0].start = 3
        history.sessions[0].sightings.removeFirst(3)
        #expect(HistoryCheck(history).isClean)
        history.sessions[0].start = 2
        #expect(HistoryCheck(history).counts == [.lost: 1])
    }

    @Test(arguments: HistoryTampering.allCases)
    func `each tampering is found as its flaw`(_ tampering: HistoryTampering) {
        var history = History.exampleWithFiles()
        #expect(tampering.apply(to: &history))
        #expect(HistoryCheck(history).counts == [tampering.flaw: 1])
    }

    @Test func `a history without events cannot be tampered with`() {
        var history = History()
        #expect(!HistoryTampering.lose.apply(to: &history))
    }

    // MARK: A log that PostgreSQL lost the end of

    /// The last two of five messages are lost; the first session is closed with 4409 and reads the new log.
    private func withLogLoss() -> History {
        var history = History.example()
        history.logLoss = .init(heads: ["room": 3, "lobby": 3], lagBegan: 0, at: 1000)
        history.logs["room"]?.removeLast(2)
        history.logs["room"]?.append(.example(number: 6, seq: 4, messageID: 106))
        history.posts.append(.example(number: 6, seq: 4, messageID: 106, at: 2000))
        for index in history.sessions.indices {
            history.sessions[index].abandoned = [.init(start: 0, sightings: history.sessions[index].sightings)]
            history.sessions[index].sightings = (1...3).map { .example(seq: $0, messageID: 100 + $0) }
            history.sessions[index].sightings.append(.example(seq: 4, messageID: 106, at: 2000))
        }
        return history
    }

    @Test func `what PostgreSQL lost is counted apart, and a session that was closed with 4409 must get the new log`() {
        let check = HistoryCheck(withLogLoss())
        #expect(check.isClean)
        #expect(check.lostByPostgres == 2)
    }

    @Test func `a session that knows a lost event and was not closed is uninformed`() {
        var history = withLogLoss()
        history.sessions[1].sightings = history.sessions[1].abandoned[0].sightings
        history.sessions[1].abandoned = []
        // It also lacks the message that the log has in the place of a lost one.
        #expect(HistoryCheck(history).counts == [.uninformed: 1, .lost: 1])
    }

    @Test func `a message acknowledged before the standby lagged, or after the failover, is lost if the log lacks it`()
    {
        var history = withLogLoss()
        history.logLoss?.lagBegan = 5_000_000_000
        history.logLoss?.at = 6_000_000_000
        #expect(HistoryCheck(history).count(.lost) == 2)
        history = withLogLoss()
        history.posts.append(.example(number: 7, seq: 5, messageID: 107, at: 3000))
        #expect(HistoryCheck(history).counts == [.lost: 1])
    }

    @Test func `what a session reads again after a 4409 had its delay at its first arrival`() {
        var history = withLogLoss()
        for index in history.sessions.indices {
            for number in 0..<3 { history.sessions[index].sightings[number].at = 1_000_000 }
        }
        #expect(history.delays().maximum == 2000)
        #expect(history.delays().count == 8)
    }

    // MARK: Delays

    @Test func `a delay counts from the first attempt to the arrival, not at sessions that were made to stall`() {
        var history = History.example()
        history.posts[2].firstSent = 1000
        history.sessions[0].sightings[2].at = 51_000
        history.sessions[1].sightings[2].at = 1_001_000
        #expect(history.delays { $0.firstSent == 1000 }.maximum == 1_000_000)
        history.sessions[1].wasStalled = true
        #expect(history.delays { $0.firstSent == 1000 }.maximum == 50_000)
        #expect(history.delays().count == 5)
    }
}

extension History {
    /// Five messages of one writer in one room, and two sessions that got them all; and in another room a user who came,
    /// opened a socket, left and came again.
    static func example() -> History {
        History(
            posts: (1...5).map { .example(number: $0, seq: $0) },
            memberChanges: members.map { .init(room: lobby, identity: $0, isAcknowledged: true) },
            sessions: (1...2).map { number in
                Session(
                    name: "session \(number)", room: "room", start: 0,
                    sightings: (1...5).map { .example(seq: $0, messageID: 100 + $0) },
                    receipts: [2, 2, 4].map { .init(userID: 7, lastReadSeq: $0, connection: 1) })
            },
            visits: [
                Visit(
                    room: lobby, userID: 9, start: 1, sightings: [.init(seq: 2, identity: members[1], at: 0)],
                    leaveAsked: 0, end: .init(code: removedCode, at: 1000))
            ],
            membershipDelays: [.init(room: lobby, kind: joinKind, nanoseconds: 1000)],
            logs: [
                "room": (1...5).map { .example(number: $0, seq: $0, messageID: 100 + $0) },
                lobby: members.enumerated().map { .init(seq: $0 + 1, identity: $1) },
            ])
    }

    fileprivate static let lobby = "lobby"
    /// A coming, a going, and a coming again of one user.
    fileprivate static let members = [joinKind, leaveKind, joinKind].map { Identity(kind: $0, userID: 9) }
}

extension History.Post {
    /// - Parameter seq: nil for a post without an answer.
    fileprivate static func example(
        number: Int, seq: Int?, messageID: Int? = nil, at time: UInt64 = 0
    ) -> History.Post {
        History.Post(
            mark: "m\(number)", room: "room", writer: 1, isKeyed: true, firstSent: 0, attempts: 1,
            outcome: seq.map {
                .acknowledged(.init(seq: $0, messageID: messageID ?? 100 + $0, at: time, server: 1))
            } ?? .unknown)
    }
}

extension History.Sighting {
    fileprivate static func example(seq: Int, messageID: Int, at time: UInt64 = 0) -> History.Sighting {
        History.Sighting(seq: seq, identity: .init(kind: "message", messageID: messageID), at: time)
    }
}

extension History.LogEntry {
    fileprivate static func example(number: Int, seq: Int, messageID: Int) -> History.LogEntry {
        History.LogEntry(seq: seq, identity: .init(kind: "message", messageID: messageID), mark: "m\(number)")
    }
}
