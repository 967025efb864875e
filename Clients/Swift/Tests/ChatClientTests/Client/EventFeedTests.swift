import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct EventFeedTests {
    @Test func `a page is asked for again after the pause that the server asks for`() async throws {
        let feed = EventFeed(roomID: "a", id: "1", reader: Reader(after: LogPosition(seq: 3, mark: "mark3")))
        let count = NIOLockedValueBox(0)
        let start = ContinuousClock.now
        let next = try await feed.next { _ in
            if count.increment() == 1 {
                throw ChatError(.network, "busy", status: 503, retryAfterMilliseconds: 700, isTemporary: true)
            }
            return (messageFrame("a", 4).object.flatMap(ChatEvent.init(json:)).map { [$0] } ?? [], false)
        } onBegin: { _ in
        } random: {
            0
        }
        #expect(next?.seq == 4)
        #expect(ContinuousClock.now - start >= .milliseconds(700))
    }

    @Test func `a live event does not wait for the end of a pause`() async throws {
        let feed = EventFeed(roomID: "a", id: "1", reader: Reader(after: LogPosition(seq: 3, mark: "mark3")))
        let next = try await feed.next { _ in
            Task { messageFrame("a", 4).object.flatMap(ChatEvent.init(json:)).map { feed.event($0) } }
            throw ChatError(.network, "busy", status: 503, retryAfterMilliseconds: 300_000, isTemporary: true)
        } onBegin: { _ in
        } random: {
            0
        }
        #expect(next?.seq == 4)
    }

    @Test func `a page that was requested before a reset is not read`() async throws {
        let feed = EventFeed(roomID: "a", id: "1", reader: Reader(after: LogPosition(seq: 3, mark: "mark3")))
        let count = NIOLockedValueBox(0)
        let next = try await feed.next { _ in
            let isFirst = count.increment() == 1
            // The server gets another log while the response is on its way.
            if isFirst { feed.reset() }
            let frame = messageFrame("a", 4, text: isFirst ? "old" : "new")
            return (frame.object.flatMap(ChatEvent.init(json:)).map { [$0] } ?? [], false)
        } onBegin: { _ in
        } random: {
            0
        }
        guard case .message(let message)? = next else {
            Issue.record("no message")
            return
        }
        #expect(message.text == "new")
        #expect(count.withLockedValue { $0 } == 2)
    }
}
