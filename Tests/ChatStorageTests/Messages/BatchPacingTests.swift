import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct BatchPacingTests {
    @Test func `a lone post goes out at once`() {
        #expect(BatchPacing().minimum(limit: 256) == 1)
        #expect(BatchPacing().isIdle)
    }

    @Test func `a second batch follows when it is as large as the first, a third when one has ended`() {
        var pacing = BatchPacing()
        pacing.sent(30)
        #expect(pacing.minimum(limit: 256) == 30)
        pacing.sent(34)
        #expect(pacing.minimum(limit: 256) == .max)
        pacing.ended(30)
        #expect(pacing.minimum(limit: 256) == 34)
        pacing.ended(34)
        #expect(pacing.minimum(limit: 256) == 1)
        #expect(pacing.isIdle)
    }

    @Test func `a small batch waits until the one under way has ended`() {
        var pacing = BatchPacing()
        pacing.sent(1)
        #expect(pacing.minimum(limit: 256) == 16)
        pacing.ended(1)
        #expect(pacing.minimum(limit: 256) == 1)
    }

    @Test func `no batch waits for more than fits in`() {
        var pacing = BatchPacing()
        pacing.sent(256)
        #expect(pacing.minimum(limit: 200) == 200)
    }

    @Test func `of two alike one ends at a time`() {
        var pacing = BatchPacing()
        pacing.sent(20)
        pacing.sent(20)
        pacing.ended(20)
        #expect(!pacing.isIdle)
        #expect(pacing.minimum(limit: 256) == 20)
    }
}
