import CommonUtil
import Hummingbird
import NIOCore
import NIOEmbedded
import Testing

@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct LargeResponsesTests {
    private let start = ContinuousClock.now

    @Test func `responses share the bound, and return their share`() {
        var ledger = LargeResponseLedger(maximumBytes: 100)
        let first = ledger.begin(60, at: start)
        #expect(first.id != nil && first.evicted == nil)
        let second = ledger.begin(41, at: start)
        #expect(second.id == nil && second.evicted == nil)
        #expect(ledger.begin(40, at: start).id != nil)
        ledger.end(first.id ?? 0)
        ledger.end(first.id ?? 0)
        #expect(ledger.bytes == 40)
        #expect(ledger.begin(60, at: start).id != nil)
    }

    @Test func `a single response is accepted whatever its size`() {
        var ledger = LargeResponseLedger(maximumBytes: 100)
        #expect(ledger.begin(1_000, at: start).id != nil)
        #expect(ledger.begin(1, at: start).id == nil)
    }

    @Test func `the one without progress for the longest time is aborted`() {
        var ledger = LargeResponseLedger(maximumBytes: 100)
        let ids = (0..<4).map { ledger.begin(25, at: start + .milliseconds($0)).id ?? 0 }
        ledger.progressed(ids[0], at: start + .milliseconds(500))
        #expect(ledger.begin(25, at: start + .milliseconds(1_000)).id == nil)
        let next = ledger.begin(25, at: start + .milliseconds(1_001))
        #expect(next.id != nil && next.evicted == ids[1])
        #expect(ledger.bytes == 100)
    }

    @Test func `small responses are returned as they are, and a share ends with its response`() throws {
        let answers = LargeResponses(maximumBytes: 1_000_000)
        let channel = EmbeddedChannel()
        let large = ResponseBody(byteBuffer: ByteBuffer(repeating: 0, count: 600_000))
        do {
            let held = try answers.bounded(large, on: channel)
            #expect(held.contentLength == 600_000)
            #expect(throws: ChatError.self) { try answers.bounded(large, on: channel) }
            let small = ResponseBody(byteBuffer: ByteBuffer(repeating: 0, count: LargeResponses.threshold))
            #expect(try answers.bounded(small, on: channel).contentLength == LargeResponses.threshold)
            withExtendedLifetime(held) {}
        }
        #expect(throws: Never.self) { try answers.bounded(large, on: channel) }
    }
}
