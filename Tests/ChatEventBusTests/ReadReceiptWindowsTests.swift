import ChatEvents
import CommonUtil
import Testing

@testable import ChatEventBus

@Suite(.timeLimit(.minutes(2))) struct ReadReceiptWindowsTests {
    private let start = ContinuousClock.now

    private func receipt(_ seq: Seq, by userID: Int64 = 1, in roomID: String = "hall") -> ReadReceipt {
        ReadReceipt(roomID: RoomID(verified: roomID), userID: UserID(userID), lastReadSeq: seq)
    }

    /// A reference, since expectations do not change values.
    private final class Windows {
        private var windows: ReadReceiptWindows

        init(capacity: Int = 100) { windows = ReadReceiptWindows(length: .seconds(1), capacity: capacity) }

        var nextEnd: ContinuousClock.Instant? { windows.nextEnd }
        var count: Int { windows.count }
        func note(_ receipt: ReadReceipt, at now: ContinuousClock.Instant) -> Bool { windows.note(receipt, at: now) }
        func close(at now: ContinuousClock.Instant) -> [ReadReceipt] { windows.close(at: now) }
        func closeAll() -> [ReadReceipt] { windows.closeAll() }
    }

    @Test func `the first is published at once, the furthest at the end of the window`() {
        let windows = Windows()
        #expect(windows.nextEnd == nil)
        #expect(windows.note(receipt(1), at: start))
        #expect(windows.nextEnd == start + .seconds(1))
        for seq in [Seq(2), 9, 5] { #expect(!windows.note(receipt(seq), at: start + .milliseconds(500))) }
        #expect(windows.close(at: start + .milliseconds(999)) == [])
        #expect(windows.close(at: start + .seconds(1)) == [receipt(9)])
        // That was published, so the next one waits again.
        #expect(windows.nextEnd == start + .seconds(2))
        #expect(!windows.note(receipt(10), at: start + .milliseconds(1_100)))
        #expect(windows.close(at: start + .seconds(2)) == [receipt(10)])
        #expect(windows.close(at: start + .seconds(3)) == [])
        #expect(windows.nextEnd == nil)
        #expect(windows.note(receipt(11), at: start + .seconds(3)))
    }

    @Test func `readers and rooms have windows of their own`() {
        let windows = Windows()
        for first in [receipt(1), receipt(1, by: 2), receipt(1, in: "attic")] {
            #expect(windows.note(first, at: start))
        }
        #expect(!windows.note(receipt(3, by: 2), at: start))
        #expect(!windows.note(receipt(2, in: "attic"), at: start))
        #expect(windows.close(at: start + .seconds(1)) == [receipt(3, by: 2), receipt(2, in: "attic")])
        #expect(windows.count == 2)
    }

    @Test func `memory is bounded: beyond it receipts are published as they come`() {
        let windows = Windows(capacity: 10)
        for userID in Int64(1)...1_000 { #expect(windows.note(receipt(1, by: userID), at: start)) }
        #expect(windows.count == 10)
        #expect(windows.note(receipt(2, by: 1_000), at: start))
        #expect(!windows.note(receipt(2, by: 10), at: start))
        #expect(windows.close(at: start + .seconds(1)) == [receipt(2, by: 10)])
        #expect(windows.close(at: start + .seconds(2)) == [])
        #expect(windows.count == 0)
    }

    @Test func `at the end all waiting receipts are published`() {
        let windows = Windows()
        for userID in Int64(1)...3 { #expect(windows.note(receipt(1, by: userID), at: start)) }
        #expect(!windows.note(receipt(2, by: 2), at: start))
        #expect(windows.closeAll() == [receipt(2, by: 2)])
        #expect(windows.nextEnd == nil)
        #expect(windows.closeAll() == [])
    }
}
