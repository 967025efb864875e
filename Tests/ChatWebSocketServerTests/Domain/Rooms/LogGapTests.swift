import CommonUtil
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct LogGapTests {
    @Test func `a gap is stepped over at the third finding, within two seconds`() {
        var gap = LogGap()
        var waited = Duration.zero
        for _ in 1...2 {
            guard case .readAgain(let pause) = gap.found(after: 7) else {
                Issue.record("stepped over too early")
                return
            }
            waited += pause
        }
        #expect(gap.found(after: 7) == .stepOver)
        #expect(waited < .seconds(2))
    }

    @Test func `findings of another gap are counted separately`() {
        var gap = LogGap()
        for _ in 1...2 { #expect(gap.found(after: 7) != .stepOver) }
        for _ in 1...2 { #expect(gap.found(after: 8) != .stepOver) }
        #expect(gap.found(after: 8) == .stepOver)
        #expect(gap.found(after: 8) != .stepOver)
    }
}
