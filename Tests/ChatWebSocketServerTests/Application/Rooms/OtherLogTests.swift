import ChatEvents
import ChatTestSupport
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

/// Feeds whose log becomes another one, on a real event loop.
@Suite(.timeLimit(.minutes(1))) struct OtherLogTests {
    private static let never = HeadComparison.Intervals(whileReceiving: .hours(1), whileStalled: .milliseconds(20))

    private let ready = ByteBuffer(string: "ready")

    @Test func `a log that was set back and has grown beyond what was sent closes the room's sessions`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3))
        let session = try await fixture.session(head: 3)
        fixture.log.replace(by: events(1...2) + events(3...9, log: 1))
        try await fixture.compare()
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
        #expect(session.frames.all == [ready])
        let later = try await fixture.session(head: 9)
        fixture.receive(10, log: 1)
        #expect(try await later.frames.first(2) == [ready, event(10, log: 1).frame])
    }

    @Test func `a session that begins finds that its feed is another log's`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3))
        let old = try await fixture.session(head: 3)
        let sent = try await fixture.sent()
        fixture.log.replace(by: events(1...9, log: 1))
        let new = try await fixture.session(head: 9, sent: sent)
        #expect(try await old.closes.first(1).map(\.code) == [.aheadOfLog])
        // What was read before the feed began again says nothing about it.
        let another = try await fixture.session(head: 9, sent: sent)
        fixture.receive(10, log: 1)
        for session in [new, another] {
            #expect(try await session.frames.first(2) == [ready, event(10, log: 1).frame])
            #expect(session.closes.all.isEmpty)
        }
    }

    @Test func `after an interruption nothing of Redis is sent before the log was compared`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3), headChecks: Self.never)
        let session = try await fixture.session(head: 3)
        fixture.log.replace(by: events(1...2) + events(3...4, log: 1))
        fixture.log.interrupt()
        fixture.receive(4, log: 1)
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
        #expect(session.frames.all == [ready])
    }

    @Test func `an interruption after which the log is the same delays nothing for long`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3), headChecks: Self.never)
        let session = try await fixture.session(head: 3)
        fixture.log.replace(by: events(1...5))
        fixture.log.interrupt()
        fixture.receive(4)
        fixture.receive(5)
        fixture.receive(6)
        let all = [ready] + events(4...6).map(\.frame)
        var sent: [UInt8] = []
        for count in 2...4 {
            sent = try await session.frames.first(count).flatMap { Array($0.readableBytesView) }
            if sent.count >= all.reduce(0, { $0 + $1.readableBytes }) { break }
        }
        #expect(sent == all.flatMap { Array($0.readableBytesView) })
        #expect(session.closes.all.isEmpty)
    }

    @Test func `a log that was set back between two of its events that were sent is found after an interruption`()
        async throws
    {
        let fixture = try await DeliveryFixture(log: events(1...3), headChecks: Self.never)
        let session = try await fixture.session(head: 3)
        // Redis brings the next event of another log before anybody knows.
        fixture.receive(4)
        fixture.receive(5, log: 1)
        try await session.frames.first(3)
        fixture.log.replace(by: events(1...3) + events(4...5, log: 1))
        fixture.log.interrupt()
        fixture.receive(5, log: 1)
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
    }

    @Test func `another event in the place of one that was sent has the feed compared at once`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3), headChecks: Self.never)
        let session = try await fixture.session(head: 3)
        fixture.log.replace(by: events(1...2) + events(3...4, log: 1))
        fixture.receive(3, log: 1)
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
    }

    @Test func `a session that catches up is closed by a page of another log`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3))
        // The log lacks what the head promises, so that it is read again after a pause.
        let session = try await fixture.session(head: 5, lastSeq: 3)
        try await fixture.log.reads.first(1)
        fixture.log.replace(by: events(1...9, log: 1))
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
        #expect(session.frames.all == [ready])
    }
}
