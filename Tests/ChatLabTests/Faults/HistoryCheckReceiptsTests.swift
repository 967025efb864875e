import Testing

@testable import ChatLab

@Suite("The check of how far users have read", .timeLimit(.minutes(2)))
struct HistoryCheckReceiptsTests {
    @Test("going back for one user on one connection is a flaw")
    func back() {
        var history = History.example()
        history.sessions[0].receipts.append(.init(userID: 7, lastReadSeq: 3, connection: 1))
        #expect(HistoryCheck(history).counts == [.reordered: 1])
    }

    @Test("another user, and another connection, have their own course")
    func others() {
        var history = History.example()
        history.sessions[0].receipts += [
            .init(userID: 8, lastReadSeq: 1, connection: 1), .init(userID: 7, lastReadSeq: 1, connection: 2),
        ]
        #expect(HistoryCheck(history).isClean)
    }

    @Test("nobody reads beyond the room's end")
    func beyond() {
        var history = History.example()
        history.sessions[0].receipts.append(.init(userID: 7, lastReadSeq: 5, connection: 1))
        #expect(HistoryCheck(history).isClean)
        history.sessions[0].receipts.append(.init(userID: 7, lastReadSeq: 6, connection: 1))
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }
}
