import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import Testing

extension EphemeralEvent {
    fileprivate var lastReadSeq: Seq? {
        guard case .read(_, _, let lastReadSeq, _) = self else { return nil }
        return lastReadSeq
    }
}

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
            try await events.events { $0.last?.lastReadSeq == 99 }
        }
        // Where this test stood still for a second there are more; the exact ones are the windows' tests.
        let marks = events.all.map { $0.lastReadSeq ?? 0 }
        #expect(marks.first == 1 && marks.last == 99 && marks.count >= 3)
        #expect(zip(marks, marks.dropFirst()).allSatisfy { $0 < $1 })
        #expect(.now - start >= .seconds(marks.count - 1))
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
