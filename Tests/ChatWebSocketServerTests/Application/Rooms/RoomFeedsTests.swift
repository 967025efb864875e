import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(1))) struct RoomFeedsTests {
    private let ready = ByteBuffer(string: "ready")

    private func frames(_ seqs: ClosedRange<Seq>) -> [ByteBuffer] { events(seqs).map(\.frame) }

    @Test func `events of one read are sent together, in order, without a read of the log`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3))
        let session = try await fixture.session(head: 0)
        fixture.receive(2, 3, 1)
        let all = frames(1...3).reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
        #expect(try await session.frames.first(2) == [ready, all])
        #expect(fixture.log.reads.all.isEmpty)
    }

    @Test func `an event that Redis did not deliver is read from the log`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...2))
        let session = try await fixture.session(head: 0)
        fixture.receive(2)
        let all = frames(1...2).reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) }
        #expect(try await session.frames.first(2) == [ready, all])
        #expect(fixture.log.reads.all == [0])
    }

    @Test func `an event that was sent is dropped, and one of a room without sessions, too`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...2))
        fixture.receive(1)
        let session = try await fixture.session(head: 1)
        fixture.receive(1)
        fixture.receive(2)
        #expect(try await session.frames.first(2) == [ready, event(2).frame])
    }

    @Test func `a head below what was sent closes the room's sessions, and later ones begin with the log as it is`()
        async throws
    {
        let fixture = try await DeliveryFixture(log: events(1...3))
        let session = try await fixture.session(head: 3)
        fixture.log.replace(by: events(1...2))
        try await fixture.compare()
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
        let later = try await fixture.session(head: 2)
        fixture.receive(3)
        #expect(try await later.frames.first(2) == [ready, event(3).frame])
    }

    @Test func `a head that was read before the feed moved says nothing`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3))
        let session = try await fixture.session(head: 2)
        let probe = try await fixture.probe()
        fixture.receive(3)
        try await session.frames.first(2)
        try await fixture.compared(probe, .same(head: 2))
        #expect(session.closes.all.isEmpty)
        #expect(try await fixture.position() == 3)
    }

    @Test func `a session that joins an open feed gets what its head promises`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...5))
        _ = try await fixture.session(head: 1)
        // The feed is behind the head that the second session was admitted at.
        let session = try await fixture.session(head: 5, lastSeq: 0)
        let mark = event(5).mark?.description ?? ""
        let caughtUp = #"{"eventType":"caught_up","roomId":"hall","seq":5,"mark":"\#(mark)"}"#
        #expect(
            try await session.frames.first(7) == [ready] + frames(1...5)
                + [WebSocketFrame.text(ByteBuffer(string: caughtUp))])
        fixture.receive(6)
        #expect(try await session.frames.first(8).last == event(6).frame)
    }
}
