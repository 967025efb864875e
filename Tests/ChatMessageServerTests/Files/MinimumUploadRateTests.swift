import CommonUtil
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct MinimumUploadRateTests {
    @Test func `fewer than 64 KiB in a minute are too few, 64 KiB are not`() throws {
        var slow = MinimumUploadRate()
        try slow.note(MinimumUploadRate.minimumBytes - 2, after: .seconds(59))
        let error = #expect(throws: ChatError.self) { try slow.note(1, after: .seconds(1)) }
        #expect(error?.code == .requestTimeout)
        var steady = MinimumUploadRate()
        try steady.note(MinimumUploadRate.minimumBytes - 1, after: .seconds(59))
        try steady.note(1, after: .seconds(1))
    }

    @Test func `within a minute nothing is judged`() throws {
        var pace = MinimumUploadRate()
        for _ in 0..<59 { try pace.note(1, after: .seconds(1)) }
    }

    @Test func `each minute counts by itself, whatever came before`() throws {
        var pace = MinimumUploadRate()
        try pace.note(100_000_000, after: .seconds(60))
        for _ in 0..<59 { try pace.note(1, after: .seconds(1)) }
        #expect(throws: ChatError.self) { try pace.note(1, after: .seconds(1)) }
    }
}
