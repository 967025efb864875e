import ChatTestSupport
import CommonUtil
import NIOCore
import Testing

@testable import ChatWebSocketServer

@Suite(.timeLimit(.minutes(2))) struct ComparisonPaceTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private let intervals = HeadComparison.Intervals()

    @Test func `heads are compared seldom while Redis delivers`() {
        var pace = ComparisonPace(intervals)
        #expect(pace.interval(now: start) == intervals.whileStalled)
        pace.isReceiving = true
        #expect(pace.interval(now: start) == intervals.whileReceiving)
    }

    @Test func `an event that Redis did not deliver shortens the interval for a minute`() {
        var pace = ComparisonPace(intervals)
        pace.isReceiving = true
        let isShorter = [
            pace.eventsWereMissed(now: start), pace.eventsWereMissed(now: start + .seconds(30)),
        ]
        #expect(isShorter == [true, false])
        #expect(pace.interval(now: start + .seconds(89)) == intervals.whileStalled)
        #expect(pace.interval(now: start + .seconds(90)) == intervals.whileReceiving)
    }
}

@Suite(.timeLimit(.minutes(1))) struct HeadComparisonTests {
    private static let often = HeadComparison.Intervals(
        whileReceiving: .milliseconds(20), whileStalled: .milliseconds(10))

    @Test(arguments: [true, false])
    func `events that Redis never delivers reach sessions by the log's head`(isReceiving: Bool) async throws {
        let fixture = try await DeliveryFixture(log: events(1...1), headChecks: Self.often)
        let session = try await fixture.session(head: 1)
        fixture.broadcast.receivingChanged(isReceiving)
        let comparison = Task { try await fixture.broadcast.run() }
        defer { comparison.cancel() }
        fixture.log.replace(by: events(1...2))
        #expect(try await session.frames.first(2).last == event(2).frame)
    }

    @Test func `a log that was set back is found by its head`() async throws {
        let fixture = try await DeliveryFixture(log: events(1...3), headChecks: Self.often)
        let session = try await fixture.session(head: 3)
        let comparison = Task { try await fixture.broadcast.run() }
        defer { comparison.cancel() }
        fixture.log.replace(by: events(1...2))
        #expect(try await session.closes.first(1).map(\.code) == [.aheadOfLog])
    }

    @Test func `a change of what Redis delivers compares the heads at once`() async throws {
        let fixture = try await DeliveryFixture(
            log: events(1...1),
            headChecks: HeadComparison.Intervals(whileReceiving: .hours(1), whileStalled: .hours(1)))
        let session = try await fixture.session(head: 1)
        let comparison = Task { try await fixture.broadcast.run() }
        defer { comparison.cancel() }
        fixture.log.replace(by: events(1...2))
        fixture.broadcast.receivingChanged(true)
        #expect(try await session.frames.first(2).last == event(2).frame)
    }
}
