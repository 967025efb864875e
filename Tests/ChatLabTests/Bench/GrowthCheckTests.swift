import Testing

@testable import ChatLab

@Suite(.timeLimit(.minutes(2))) struct GrowthCheckTests {
    @Test func `the growth check finds a steady leak`() throws {
        let check = try #require(GrowthCheck((0..<60).map { 40 + Double($0) * 0.2 }))
        #expect(abs(check.growth - 8) < 0.001)
    }

    @Test func `a peak, and going up and down, are no growth`() throws {
        var samples = (0..<60).map { $0.isMultiple(of: 2) ? 40.0 : 41 }
        samples[55] = 400
        #expect(try #require(GrowthCheck(samples)).growth == 0)
    }

    @Test func `too few samples give no result`() {
        #expect(GrowthCheck([1, 2]) == nil)
        #expect(GrowthCheck([1, 2, 4])?.growth == 3)
    }
}
