import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct RateTests {
    @Test(arguments: [
        ("100/s", Rate(100, per: .second), 500), ("10/m", Rate(10, per: .minute), 50),
        ("60/m", Rate(60, per: .minute), 300), ("1000000/s", Rate(1_000_000, per: .second), 5_000_000),
        ("0", Rate(0, per: .second), 0), ("0/m", Rate(0, per: .minute), 0),
    ])
    func `a burst is five times the number as it is written`(text: String, rate: Rate, burst: Int) throws {
        let read = try #require(Rate(text: text))
        #expect(read == rate)
        #expect(read.burst == burst)
        #expect(read.isUnlimited == (burst == 0))
    }

    @Test func `a multiple of a rate has a multiple of its burst`() {
        #expect(Rate(60, per: .minute).interval == .seconds(1))
        #expect(Rate(60, per: .minute).multiplied(by: 10) == Rate(600, per: .minute))
        #expect(Rate(1, per: .minute).multiplied(by: 10).burst == 50)
        #expect(Rate(0, per: .minute).multiplied(by: 10).isUnlimited)
    }

    @Test(arguments: ["", "1", "1/h", "-1/s", "1.5/s", "/s", "1/s/s", "1000001/s", "1 /s", "1/S"])
    func `refuses what is no rate`(text: String) {
        #expect(Rate(text: text) == nil)
    }
}
