import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct DiskShareTests {
    private let start = ContinuousClock.now

    @Test func `uploads pause eight times as long while posts are stored`() {
        let share = DiskShare(start: start)
        let use = Duration.milliseconds(2)
        #expect(share.pause(after: use, at: start) == use)
        share.committed(at: start)
        #expect(share.pause(after: use, at: start + .milliseconds(999)) == use * 8)
        #expect(share.pause(after: use, at: start + .seconds(1)) == use)
        share.committed(at: start + .seconds(5))
        #expect(share.pause(after: use, at: start + .seconds(5)) == use * 8)
    }

    @Test func `a slow disk is not made slower`() {
        let share = DiskShare(start: start)
        share.committed(at: start)
        #expect(share.pause(after: .seconds(2), at: start) == .milliseconds(100))
    }
}
