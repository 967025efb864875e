import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(1))) struct HistoryCheckUserSocketTests {
    private typealias Step = UserSocketState.Step

    /// A log in which user 9 comes, leaves and comes again, and a writer's messages are between.
    private var log: [History.LogEntry] {
        let kinds = [
            History.joinKind, History.messageKind, History.messageKind, History.leaveKind, History.messageKind,
            History.joinKind, History.messageKind,
        ]
        return kinds.enumerated().map { index, kind in
            let isMessage = kind == History.messageKind
            return .init(
                seq: index + 1,
                identity: .init(
                    kind: kind, messageID: isMessage ? 101 + index : nil, userID: isMessage ? nil : 9),
                mark: isMessage ? "m\(index + 1)" : nil, eventMark: "mark-\(index + 1)")
        }
    }

    private func history(_ record: UserSocketRecord) -> History {
        History(
            posts: log.compactMap { entry in
                entry.mark.map { .init(mark: $0, room: "room", writer: 1, isKeyed: true, firstSent: 0) }
            },
            memberChanges: log.filter { $0.identity.userID != nil }.map {
                .init(room: "room", identity: $0.identity, isAcknowledged: true)
            }, sessions: record.sessions, logs: ["room": log])
    }

    private func record(_ body: (inout UserSocketRecord, (Int) -> History.Sighting) -> Void) -> UserSocketRecord {
        var record = UserSocketRecord(name: "user socket 9", userID: 9)
        let log = log
        body(&record) { seq in
            .init(seq: seq, identity: log[seq - 1].identity, eventMark: log[seq - 1].eventMark, at: 0)
        }
        return record
    }

    private func check(_ body: (inout UserSocketRecord, (Int) -> History.Sighting) -> Void) -> HistoryCheck {
        HistoryCheck(history(record(body)))
    }

    @Test func `each stay is a session of its own, the last one to the end of the log`() {
        let check = check { record, event in
            record.take(.began("room", .init(1)))
            for seq in 2...4 { record.take(.event("room"), sighting: event(seq)) }
            record.take(.ended("room", reason: History.leftReason, wasLive: true))
            record.take(.began("room", .init(6)))
            record.take(.event("room"), sighting: event(7))
        }
        #expect(check.isClean)
    }

    @Test func `a gap before the removal is a loss`() {
        let check = check { record, event in
            record.take(.began("room", .init(1)))
            for seq in [2, 4] { record.take(.event("room"), sighting: event(seq)) }
            record.take(.ended("room", reason: History.leftReason, wasLive: true))
        }
        #expect(check.counts == [.lost: 1])
    }

    @Test(arguments: [true, false])
    func `only a session that was live is owed the event that removed its user`(wasLive: Bool) {
        let check = check { record, event in
            record.take(.began("room", .init(1)))
            record.take(.event("room"), sighting: event(2))
            record.take(.ended("room", reason: History.removedReason, wasLive: wasLive))
        }
        #expect(check.counts == (wasLive ? [.lost: 1] : [:]))
    }

    @Test func `a stay that goes on gets the log to its end`() {
        let check = check { record, event in
            record.take(.began("room", .init(4)))
            for seq in [5, 6] { record.take(.event("room"), sighting: event(seq)) }
        }
        #expect(check.counts == [.lost: 1])
    }

    @Test func `what is skipped is not owed, what came before is`() {
        let check = check { record, event in
            record.take(.began("room", .init(0)))
            record.take(.event("room"), sighting: event(1))
            record.take(.skipped("room", .init(5)))
            for seq in [6, 7] { record.take(.event("room"), sighting: event(seq)) }
        }
        #expect(check.isClean)
    }

    @Test func `an event with another mark than the log's is foreign, and so are two events with one mark`() {
        var history = history(
            record { record, event in
                record.take(.began("room", .init(5)))
                for seq in [6, 7] { record.take(.event("room"), sighting: event(seq)) }
            })
        #expect(HistoryCheck(history).isClean)
        history.sessions[0].sightings[1].eventMark = "mark-0"
        #expect(HistoryCheck(history).counts == [.foreign: 1])
        history.sessions[0].sightings[1].eventMark = nil
        #expect(HistoryCheck(history).counts == [.foreign: 1])
        history.sessions = []
        history.logs["room"]?[6].eventMark = "mark-1"
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }

    @Test func `a log that was void is looked at as far as PostgreSQL kept it`() {
        var history = history(
            record { record, event in
                record.take(.began("room", .init(3)))
                record.take(.event("room"), sighting: event(4))
                record.take(
                    .event("room"),
                    sighting: .init(seq: 5, identity: .init(kind: History.messageKind, messageID: 99), at: 5))
                record.take(.reset("room", .init(5, "mark-5")))
                for seq in [6, 7] {
                    var sighting = event(seq)
                    sighting.at = 20
                    record.take(.event("room"), sighting: sighting)
                }
            })
        history.logLoss = .init(heads: ["room": 4], lagBegan: 0, at: 10)
        #expect(HistoryCheck(history).isClean)
        // The same without the reset: it was not informed, and lacks the events that the log has now.
        let whole = history.sessions[0].abandoned[0]
        history.sessions[0].abandoned = []
        history.sessions[0].start = whole.start
        history.sessions[0].sightings = whole.sightings + history.sessions[0].sightings
        #expect(HistoryCheck(history).counts == [.uninformed: 1, .lost: 1])
    }

    @Test func `only a socket that is live all the time has a delay, and only of what was asked for`() {
        var clock = MembershipClock()
        clock.asked(History.joinKind, in: "room", isLive: true, at: 100)
        #expect(clock.reported(History.leaveKind, in: "room", at: 200) == nil)
        clock.asked(History.joinKind, in: "room", isLive: true, at: 100)
        #expect(clock.reported(History.joinKind, in: "room", at: 350)?.nanoseconds == 250)
        #expect(clock.reported(History.joinKind, in: "room", at: 400) == nil)
        clock.asked(History.leaveKind, in: "room", isLive: true, at: 500)
        clock.interrupt()
        #expect(clock.reported(History.leaveKind, in: "room", at: 600) == nil)
    }
}
