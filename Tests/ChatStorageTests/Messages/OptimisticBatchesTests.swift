import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct OptimisticBatchesTests {
    @Test func `a span of batches is validated at the start, and again after each failure`() {
        var batches = OptimisticBatches(validatedSpan: 2)
        #expect((0..<4).map { _ in batches.isNextOptimistic() } == [false, false, true, true])
        batches.failed()
        #expect((0..<3).map { _ in batches.isNextOptimistic() } == [false, false, true])
        batches.failed()
        #expect(batches.isNextOptimistic() == false)
        batches.failed()
        #expect((0..<3).map { _ in batches.isNextOptimistic() } == [false, false, true])
    }

    @Test func `without a span all are stored without validation`() {
        var batches = OptimisticBatches(validatedSpan: 0)
        batches.failed()
        #expect(batches.isNextOptimistic() == true)
    }

    @Test func `drafts are placed by room, in the order of posting`() {
        let drafts = [
            draft("1", in: .hall), draft("2", in: .attic), draft("3", in: .hall), draft("4", in: .hall),
            draft("5", in: .attic),
        ]
        let (counts, behind) = MessageBatchStatements.places(of: drafts)
        #expect(counts == ["hall": 3, "attic": 2])
        #expect(behind == [2, 1, 1, 0, 0])
    }
}
