import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct HistoryCheckReceiptsTests {
    @Test func `a read mark that goes back for one user on one connection is a flaw`() {
        var history = History.example()
        history.sessions[0].receipts.append(.init(userID: 7, lastReadSeq: 3, connection: 1))
        #expect(HistoryCheck(history).counts == [.reordered: 1])
    }

    @Test func `another user, and another connection, have an order of their own`() {
        var history = History.example()
        history.sessions[0].receipts += [
            .init(userID: 8, lastReadSeq: 1, connection: 1), .init(userID: 7, lastReadSeq: 1, connection: 2),
        ]
        #expect(HistoryCheck(history).isClean)
    }

    @Test func `nobody reads beyond the room's end`() {
        var history = History.example()
        history.sessions[0].receipts.append(.init(userID: 7, lastReadSeq: 5, connection: 1))
        #expect(HistoryCheck(history).isClean)
        history.sessions[0].receipts.append(.init(userID: 7, lastReadSeq: 6, connection: 1))
        #expect(HistoryCheck(history).counts == [.foreign: 1])
    }
}
