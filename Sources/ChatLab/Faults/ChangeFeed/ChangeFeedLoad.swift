import ChatLocalStack
import CommonUtil

/// The readers of the feed of changes of one run: one that pulls it, and one webhook. Each keeps a table of all events.
final class ChangeFeedLoad: Sendable {
    /// What was read, and what was wrong besides.
    struct Outcome: Sendable {
        var feed: History.ChangeFeed
        /// Answers of 429 or 503.
        var refused: Int
        var problems: [String]
    }

    private static let pullName = "the reader of the feed"
    private static let webhookName = "the webhook's receiver"
    private static let replayName = "the receiver after a replay"
    private static let pollInterval = Duration.milliseconds(50)
    /// Cursors that are read from again, and the events that are read after each.
    private static let continuations = 10
    private static let eventsOfContinuation = 50

    let receiver: WebhookReceiver
    private let reader: ChangeFeedReader
    private let client: ChangeFeedClient
    private let webhookID: String

    /// Makes a key and a webhook, and begins to read.
    /// - Parameter name: of the key.
    static func start(_ stack: LocalStack, name: String) async throws -> ChangeFeedLoad {
        let key = try await stack.makeKey(name, scopes: ["changes"])
        let clients = stack.messageServers.map { ChangeFeedClient(key: key, port: $0.port) }
        let receiver = try await WebhookReceiver.start()
        do {
            let webhookID = try await clients[0].makeWebhook(url: receiver.url, secret: receiver.secret)
            return ChangeFeedLoad(clients, receiver, webhookID: webhookID)
        } catch {
            receiver.stop()
            throw error
        }
    }

    /// - Parameter clients: one for each message server.
    private init(_ clients: [ChangeFeedClient], _ receiver: WebhookReceiver, webhookID: String) {
        client = clients[0]
        self.receiver = receiver
        self.webhookID = webhookID
        reader = ChangeFeedReader(clients)
        reader.start()
    }

    /// Waits until the webhook's receiver has got something.
    /// - Throws: `LocalStackError` if it does not in time.
    func waitForReceiver(
        _ what: String, within time: Duration, until isDone: (WebhookReceiver.Record) -> Bool
    ) async throws {
        guard try await wait(within: time, until: { isDone(receiver.record) }) else {
            throw LocalStackError("The receiver of the webhook has not \(what) within \(time)")
        }
    }

    /// Waits until both readers have everything, reads the feed again from its beginning and from cursors in between, and
    /// has the webhook deliver everything again into an empty table.
    /// - Parameters:
    ///   - logs: those of all rooms.
    ///   - isSetBack: whether PostgreSQL has lost something that readers may have got.
    func finish(
        logs: [String: [History.LogEntry]], isSetBack: Bool, within time: Duration
    ) async throws -> Outcome {
        let heads = logs.compactMapValues { $0.last?.seq }
        var problems = try await overdue(Self.pullName, heads, within: time) { reader.record.heads }
        problems += try await overdue(Self.webhookName, heads, within: time) { receiver.record.heads }
        await reader.stop()
        let pulled = reader.record
        var feed = History.ChangeFeed(
            events: try await events(after: ChangeFeedReader.begin),
            readers: [
                .init(name: Self.pullName, deliveries: pulled.deliveries, isMeasured: pulled.restarts == 0)
            ])
        for event in feed.events.shuffled().prefix(Self.continuations) {
            let page = try await client.changes(after: event.cursor, limit: Self.eventsOfContinuation)
            feed.continuations.append(.init(cursor: event.cursor, next: page.items.map(\.cursor)))
        }
        let delivered = receiver.empty()
        // What the receiver got of a history that is gone is no part of the feed any more.
        if !isSetBack { feed.readers.append(.init(name: Self.webhookName, deliveries: delivered)) }
        try await client.replayWebhook(webhookID, after: ChangeFeedReader.begin)
        problems += try await overdue(Self.replayName, heads, within: time) { receiver.record.heads }
        feed.readers.append(
            .init(name: Self.replayName, deliveries: receiver.record.deliveries, isMeasured: false))
        try await client.deleteWebhook(webhookID)
        receiver.stop()

        if pulled.restarts > 0, !isSetBack {
            problems.append("the cursor of the feed was unknown \(pulled.restarts) times")
        }
        for (violation, count) in pulled.violations.merging(receiver.record.violations, uniquingKeysWith: +) {
            problems.append("\(count) × \(violation)")
        }
        return Outcome(feed: feed, refused: pulled.refused, problems: problems)
    }

    /// Ends everything, whatever is under way.
    func abandon() async {
        receiver.stop()
        await reader.stop()
    }

    private func events(after cursor: String) async throws -> [History.FeedEvent] {
        var events: [History.FeedEvent] = []
        var next = cursor
        while true {
            let page = try await client.changes(after: next, limit: 1000)
            events += page.items.map { History.FeedEvent($0) }
            next = page.next
            if !page.hasMore { return events }
        }
    }

    /// Waits until a reader has each room up to its head.
    /// - Returns: what is wrong if it has not in time.
    private func overdue(
        _ name: String, _ heads: [String: Int], within time: Duration, _ known: () -> [String: Int]
    ) async throws -> [String] {
        let isDone = try await wait(within: time) {
            let known = known()
            return heads.allSatisfy { known[$0.key] ?? -1 >= $0.value }
        }
        return isDone ? [] : ["\(name) did not reach the end in \(time)"]
    }

    private func wait(within time: Duration, until isDone: () -> Bool) async throws -> Bool {
        let deadline = ContinuousClock.now + time
        while !isDone() {
            guard ContinuousClock.now < deadline else { return false }
            try await Task.sleep(for: Self.pollInterval)
        }
        return true
    }
}
