import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct HistoryCheckMembersTests {
    private let room = "lobby"

    /// The example, with the user's comings and goings stored like this.
    private func history(_ kinds: [String]) -> History {
        var history = History.example()
        history.visits = []
        history.logs[room] = kinds.enumerated().map { .init(seq: $0 + 1, identity: .init(kind: $1, userID: 9)) }
        return history
    }

    private let join = History.joinKind
    private let leave = History.leaveKind

    @Test func `each acknowledged coming or going is in the log once`() {
        #expect(HistoryCheck(history([join, leave, join])).isClean)
        #expect(HistoryCheck(history([join, leave])).counts == [.lost: 1])
        #expect(HistoryCheck(history([join, join])).counts == [.lost: 1])
        #expect(HistoryCheck(history([join, leave, join, join])).counts == [.doubled: 1])
        #expect(HistoryCheck(history([])).counts == [.lost: 3])
    }

    @Test func `comings and goings are in the order in which the user asked`() {
        #expect(HistoryCheck(history([leave, join, join])).counts == [.reordered: 1])
        #expect(HistoryCheck(history([join, join, leave])).counts == [.reordered: 1])
    }

    @Test func `a coming or going without an answer is in the log at most once`() {
        for (kinds, isClean) in [
            ([join, leave, join], true), ([join, leave], true), ([join, leave, join, join], false),
        ] {
            var history = history(kinds)
            history.memberChanges[2].isAcknowledged = false
            #expect(HistoryCheck(history).isClean == isClean)
        }
    }

    @Test func `nobody comes or goes without asking`() {
        var history = history([join, leave, join])
        history.logs[room]?.append(.init(seq: 4, identity: .init(kind: leave, userID: 8)))
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }

    // MARK: The socket of one who leaves

    @Test func `a user who has left gets nothing more`() {
        var history = History.example()
        history.visits[0].sightings.append(.init(seq: 3, identity: .init(kind: join, userID: 9), at: 0))
        #expect(HistoryCheck(history).counts == [.leaked: 1])
    }

    @Test func `the socket of one who has left does not stay open, and may end otherwise before it is closed`() {
        var history = History.example()
        history.visits[0].end = nil
        #expect(HistoryCheck(history).counts == [.leaked: 1])
        history.visits[0].end = .init(code: nil, at: 0)
        history.visits[0].sightings = []
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `a user who has not left may stay, and is not closed as one who has`() {
        var history = History.example()
        history.visits[0].start = 3
        history.visits[0].sightings = []
        #expect(HistoryCheck(history).counts == [.foreign: 1])
        history.visits[0].end = nil
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `until the leave a socket gets the log`() {
        var history = History.example()
        history.visits[0].start = 0
        #expect(HistoryCheck(history).counts == [.lost: 1])
        history.visits[0].sightings = [history.visits[0].sightings[0], history.visits[0].sightings[0]]
        #expect(HistoryCheck(history).counts == [.lost: 1, .doubled: 1])
    }

    @Test func `the time to the close counts from the first attempt to leave`() {
        var visit = History.example().visits[0]
        visit.leaveAsked = 400
        #expect(visit.closeDelay == 600)
        visit.end?.code = 1012
        #expect(visit.closeDelay == nil)
    }
}
