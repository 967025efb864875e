import Testing

@testable import ChatLab

@Suite("The check for growth", .timeLimit(.minutes(2)))
struct GrowthCheckTests {
    @Test("finds a steady leak")
    func leak() throws {
        let check = try #require(GrowthCheck((0..<60).map { 40 + Double($0) * 0.2 }))
        #expect(abs(check.growth - 8) < 0.001)
    }

    @Test("is not misled by a peak, nor by going up and down")
    func peaks() throws {
        var samples = (0..<60).map { $0.isMultiple(of: 2) ? 40.0 : 41 }
        samples[55] = 400
        #expect(try #require(GrowthCheck(samples)).growth == 0)
    }

    @Test("says nothing of too few samples")
    func few() {
        #expect(GrowthCheck([1, 2]) == nil)
        #expect(GrowthCheck([1, 2, 4])?.growth == 3)
    }
}
