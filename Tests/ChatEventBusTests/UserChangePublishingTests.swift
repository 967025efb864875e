import ChatEventBus
import ChatEvents
import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(1))) struct UserChangePublishingTests {
    private func change(_ userID: UserID, _ version: Int64, _ kind: UserChange.Kind = .read, seq: Seq) -> UserChange {
        UserChange(userID: userID, version: version, roomID: RoomID(verified: "hall"), kind: kind, seq: seq)
    }

    @Test func `changes go to the channels of their users, after the room's events`() async throws {
        let configuration = try BusHarness.configuration(try await SharedEngines.redisURL)
        let roomID = RoomID.random()
        let users = (0..<2).map { _ in UserID(.random(in: 1...UserID.largest)) }
        let changes = users.map { change($0, 1, .roomAdded, seq: 7) }
        try await BusHarness.withSubscriber(configuration) { heard in
            try await heard.states.first(1)
            try await BusHarness.withClient(configuration) { redis in
                let publisher = EventPublisher(redis: redis, logger: BusHarness.quiet)
                publisher.publish([event(7, in: roomID)])
                publisher.publish(changes)
                let expected =
                    [event(7, in: roomID).heard]
                    + changes.map { "chat:user:\($0.userID) \(String(decoding: $0.jsonBytes, as: UTF8.self))" }
                let all = try await heard.events.events { Set(expected).isSubset(of: $0) }
                #expect(all.filter { expected.contains($0) } == expected)
            }
        }
    }

    @Test func `each stored move of a mark goes to the reader's own devices at once`() async throws {
        let events = EventCollector<EphemeralEvent>()
        let changes = EventCollector<UserChange>()
        let receipts = ReadReceiptPublisher(
            interval: .seconds(3_600), publish: { events.append($0) }, publishChange: { changes.append($0) })
        func note(_ seq: Seq, version: Int64?) {
            receipts.note(
                ReadReceipt(
                    roomID: RoomID(verified: "hall"), userID: UserID(1), lastReadSeq: seq, version: version))
        }
        for seq in Seq(1)...5 { note(seq, version: 10 + seq) }
        // The mark of a non-member is not stored.
        note(6, version: nil)
        #expect(changes.all == (1...5).map { change(UserID(1), 10 + $0, seq: $0) })
        #expect(events.all.count == 1)
    }
}
