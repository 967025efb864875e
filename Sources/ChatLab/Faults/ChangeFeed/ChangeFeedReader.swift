import CommonUtil
import NIOCore
import Synchronization

/// A backend that pulls the feed of changes from its beginning: it keeps its cursor, and asks one message server
/// after the other until there is an answer.
final class ChangeFeedReader: Sendable {
    struct Record: Sendable {
        var deliveries: [History.FeedDelivery] = []
        /// The cursor that it goes on from.
        var cursor = ChangeFeedReader.begin
        /// The last `seq` of each room.
        var heads: [String: Int] = [:]
        /// How often its cursor was unknown, so that it began again.
        var restarts = 0
        /// Answers of 429 or 503.
        var refused = 0
        /// Requests without an answer.
        var unanswered = 0
        var violations: [String: Int] = [:]
    }

    static let begin = "begin"
    /// Seconds for which it lets a server wait for an event, and beside those for the answer.
    private static let (wait, answerTime) = (5, 10)

    private let clients: [ChangeFeedClient]
    private let state = Mutex(Record())
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter clients: one for each message server.
    init(_ clients: [ChangeFeedClient]) { self.clients = clients }

    var record: Record { state.withLock { $0 } }

    func start() { task.withLock { $0 = $0 ?? Task { await read() } } }

    func stop() async {
        let running = task.withLock { $0 }
        running?.cancel()
        await running?.value
    }

    private func read() async {
        var backoff = Backoff(first: .milliseconds(50), longest: .milliseconds(500))
        var turn = 0
        while !Task.isCancelled {
            do {
                let page = try await clients[turn % clients.count].changes(
                    after: state.withLock(\.cursor), wait: Self.wait, within: Self.answerTime)
                state.withLock { $0.take(page, at: NIODeadline.now().uptimeNanoseconds) }
                backoff.reset()
            } catch {
                guard !Task.isCancelled else { return }
                state.withLock { $0.take(error) }
                turn += 1
                try? await Task.sleep(for: backoff.next())
            }
        }
    }
}

extension ChangeFeedReader.Record {
    fileprivate mutating func take(_ page: ChangeFeedClient.Page, at now: UInt64) {
        cursor = page.next
        guard !page.items.isEmpty else { return }
        let events = page.items.map { History.FeedEvent($0) }
        for event in events { heads[event.room] = max(heads[event.room] ?? 0, event.seq) }
        deliveries.append(.init(events: events, at: now))
    }

    fileprivate mutating func take(_ error: any Error) {
        guard let refusal = error as? ChangeFeedClient.Refusal else {
            unanswered += 1
            return
        }
        switch (refusal.status, refusal.code) {
        case (409, "cursor_unknown"):
            // As after a restored backup: it begins with an empty table.
            restarts += 1
            (cursor, deliveries, heads) = (ChangeFeedReader.begin, [], [:])
        case (429, _), (503, _):
            refused += 1
        default:
            violations["the feed of changes answered \(refusal.status)", default: 0] += 1
        }
    }
}

extension History.FeedEvent {
    /// Takes an item of a page or a delivery.
    init(_ item: ChangeFeedClient.Item) {
        let event = item.event
        self.init(
            cursor: item.cursor, room: event.roomId, seq: event.seq ?? 0,
            identity: .init(kind: event.eventType, messageID: event.messageId, userID: event.userId),
            eventMark: event.mark, contentJson: event.contentJson)
    }
}
