import ChatEvents
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct EventRingTests {
    private func ring(_ seqs: ClosedRange<Seq>, size: Int = 0) -> EventRing {
        var ring = EventRing()
        for seq in seqs { ring.append(event(seq, size: size), seq: seq) }
        return ring
    }

    @Test func `events are found by seq`() {
        let ring = ring(5...9)
        #expect((1...12).compactMap { ring[$0]?.seq } == [5, 6, 7, 8, 9])
        #expect(EventRing()[0] == nil)
        #expect(ring[.max] == nil)
        #expect(ring[-1] == nil)
    }

    @Test func `the most recent events are kept, bounded in number`() {
        let last = Seq(EventRing.maximumCount) + 10
        let ring = ring(1...last)
        #expect(ring[10] == nil)
        #expect(ring[11]?.seq == 11)
        #expect(ring[last]?.seq == last)
    }

    @Test func `the most recent events are kept, bounded in bytes`() {
        let size = 60_000
        let ring = ring(1...20, size: size)
        let kept = (Seq(1)...20).compactMap { ring[$0] }
        #expect(kept.map(\.seq) == [17, 18, 19, 20])
        #expect(kept.map(\.frame.readableBytes).reduce(0, +) <= EventRing.maximumBytes)
    }

    @Test func `memory counts more than the bytes of the events`() {
        var ring = EventRing()
        for seq in Seq(1)...600 {
            ring.append(messageEvent(seq, messageID: seq), seq: seq)
            let kept = (max(1, seq - Seq(EventRing.maximumCount) + 1)...seq).compactMap { ring[$0] }
            #expect(ring.memory > kept.map(\.frame.storageCapacity).reduce(0, +))
        }
        let before = ring.memory
        ring.append(
            messageEvent(601, messageID: 300, change: { .messageDeleted($0, by: $0.senderID, at: $0.sentAt) }), seq: 601
        )
        #expect(ring.memory < before)
        ring.removeAll()
        #expect(ring.memory == 0)
        #expect(ring[601] == nil)
    }

    @Test func `an event that is too large for the ring empties it, and the next one starts it again`() {
        var ring = ring(1...3)
        ring.append(event(4, size: EventRing.maximumBytes), seq: 4)
        #expect((Seq(1)...5).allSatisfy { ring[$0] == nil })
        ring.append(event(5), seq: 5)
        #expect(ring[5]?.seq == 5)
        #expect(ring[4] == nil)
    }

    @Test func `an event that does not follow the last one starts the ring again`() {
        var ring = ring(1...3)
        ring.append(event(7), seq: 7)
        #expect((Seq(1)...7).compactMap { ring[$0]?.seq } == [7])
        ring.append(event(2), seq: 2)
        #expect((Seq(1)...7).compactMap { ring[$0]?.seq } == [2])
    }

    @Test(arguments: [true, false])
    func `an edit or deletion removes the earlier events of its message`(isDeletion: Bool) {
        var ring = EventRing()
        for seq in Seq(1)...3 { ring.append(messageEvent(seq, messageID: seq), seq: seq) }
        ring.append(
            messageEvent(4, messageID: 2, change: { .messageEdited($0, by: $0.senderID, at: $0.sentAt) }), seq: 4)
        #expect((Seq(1)...4).map { ring[$0]?.seq } == [1, nil, 3, 4])
        ring.append(
            messageEvent(
                5, messageID: 2,
                change: {
                    isDeletion
                        ? .messageDeleted($0, by: $0.senderID, at: $0.sentAt)
                        : .messageEdited($0, by: $0.senderID, at: $0.sentAt)
                }), seq: 5)
        #expect((Seq(1)...5).map { ring[$0]?.seq } == [1, nil, 3, nil, 5])
        ring.append(event(6), seq: 6)
        #expect(ring[6]?.seq == 6)
    }

    @Test func `an edit that names no message empties the ring`() throws {
        var ring = ring(1...3)
        let json = ByteBuffer(string: #"{"seq":4,"eventType":"message_edited"}"#)
        ring.append(try #require(MessageEvent(json: json, of: hall)), seq: 4)
        #expect((Seq(1)...4).map { ring[$0]?.seq } == [nil, nil, nil, 4])
    }
}

@Suite(.timeLimit(.minutes(1))) struct RoomTailTests {
    @Test func `events move the position and go into the ring`() {
        var tail = RoomTail(position: 3)
        #expect(tail.append(events(4...6)) == true)
        #expect(tail.position == 6)
        #expect((Seq(3)...7).compactMap { tail.ring[$0]?.seq } == [4, 5, 6])
    }

    @Test func `events that were appended before are not appended again`() {
        var tail = RoomTail(position: 3)
        #expect(tail.append(events(3...4)) == false)
        #expect(tail.append(events(4...4)) == false)
        #expect(tail.position == 4)
        #expect(tail.append(events(5...5)) == true)
    }

    @Test func `an event without seq moves nothing`() throws {
        var tail = RoomTail(position: 3)
        let ephemeral = try #require(MessageEvent(json: ByteBuffer(string: #"{"eventType":"x"}"#), of: hall))
        #expect(tail.append([ephemeral]) == true)
        #expect(tail.position == 3)
    }

    @Test func `without its ring a tail keeps its position`() {
        var tail = RoomTail(position: 0)
        _ = tail.append(events(1...2))
        tail.emptyRing()
        #expect(tail.position == 2)
        #expect(tail.ring[2] == nil)
    }
}
