import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(1))) struct ReadReceiptPublisherTests {
    private func receipt(_ seq: Seq, by userID: Int64 = 1) -> ReadReceipt {
        ReadReceipt(roomID: RoomID(verified: "hall"), userID: UserID(userID), lastReadSeq: seq)
    }

    /// The users and marks of events.
    private func published(_ events: [EphemeralEvent]) -> [String] {
        events.map { event in
            guard case .read(_, let userID, let lastReadSeq, _) = event else { return "\(event)" }
            return "\(userID):\(lastReadSeq)"
        }
    }

    @Test func `a user who scrolls is published at first, and then once a second`() async throws {
        let events = EventCollector<EphemeralEvent>()
        let receipts = ReadReceiptPublisher { events.append($0) }
        let start = ContinuousClock.now
        try await BusHarness.running(receipts) {
            for seq in Seq(1)...50 { receipts.note(receipt(seq)) }
            try await events.first(2)
            for seq in Seq(51)...99 { receipts.note(receipt(seq)) }
            try await events.first(3)
        }
        #expect(published(events.all) == ["1:1", "1:50", "1:99"])
        #expect(.now - start >= .seconds(2))
    }

    @Test func `waiting receipts are published at a stop, before it ends`() async throws {
        let events = EventCollector<EphemeralEvent>()
        let receipts = ReadReceiptPublisher(interval: .seconds(3_600)) { events.append($0) }
        try await BusHarness.running(receipts) {
            for userID in Int64(1)...2 { for seq in Seq(1)...3 { receipts.note(receipt(seq, by: userID)) } }
        }
        #expect(published(events.all) == ["1:1", "2:1", "1:3", "2:3"])
    }
}
