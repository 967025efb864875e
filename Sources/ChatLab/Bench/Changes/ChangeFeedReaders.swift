import ChatLocalStack
import Synchronization

/// A reader of the feed of changes and webhooks with a receiver each, which do as little as possible with what they get.
final class ChangeFeedReaders: Sendable {
    private let stack: LocalStack
    private let client: ChangeFeedClient
    private let listeners: [WebhookListener]
    private let webhookIDs: [String]
    private let reading = Mutex<Task<Void, Never>?>(nil)
    /// The cursor of the reader.
    private let cursor = Mutex("")

    /// Makes a key and the webhooks, which wait.
    init(_ stack: LocalStack, webhooks: Int) async throws {
        self.stack = stack
        let key = try await stack.makeKey("bench", scopes: ["changes"])
        let client = ChangeFeedClient(key: key, port: stack.messageServers[0].port)
        self.client = client
        var (listeners, webhookIDs) = ([WebhookListener](), [String]())
        for _ in 0..<webhooks {
            let listener = WebhookListener(port: try FreePort.next())
            try await listener.start { _ in .status(200) }
            listeners.append(listener)
            let id = try await client.makeWebhook(url: listener.url)
            try await client.pauseWebhook(id)
            webhookIDs.append(id)
        }
        self.listeners = listeners
        self.webhookIDs = webhookIDs
    }

    /// Sets everything up for a round. Nobody reads what was posted in the rounds before.
    func prepare(_ phase: ChangeFeedFigures.Phase) async throws {
        try await stack.setAppendsFeed(phase != .none)
        guard phase != .none else { return try await Task.sleep(for: .seconds(2)) }
        // Until the next attempt to take the lease, and until what was posted before is appended.
        try await Task.sleep(for: .seconds(5))
        guard phase == .read else { return }
        let start = try await client.changes(after: "now").next
        cursor.withLock { $0 = start }
        for id in webhookIDs {
            try await client.replayWebhook(id, after: start)
            try await client.resumeWebhook(id)
        }
        reading.withLock { $0 = Task { await read() } }
    }

    private func read() async {
        while !Task.isCancelled {
            let place = cursor.withLock { $0 }
            guard let next = try? await client.next(after: place, limit: 1000, wait: 5) else { continue }
            cursor.withLock { $0 = next }
        }
    }

    /// Waits until all have read everything.
    /// - Returns: how long that took.
    /// - Throws: `LocalStackError` if they have not in time.
    func catchUp(within time: Duration) async throws -> Duration {
        let begin = ContinuousClock.now
        while true {
            let end = try await client.changes(after: "now").next
            var places = [cursor.withLock { $0 }]
            for id in webhookIDs { places.append(try await client.webhook(id).cursor) }
            if places.allSatisfy({ $0 == end }), try await isAppended() { return ContinuousClock.now - begin }
            guard ContinuousClock.now < begin + time else {
                throw LocalStackError("The readers of the feed did not reach its end within \(time)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Whether the feed has all events of all rooms.
    private func isAppended() async throws -> Bool {
        let pending = try await stack.postgres.run(
            sql: """
                SELECT count(*) FROM rooms WHERE last_seq > coalesce(
                    (SELECT max(to_seq) FROM change_runs WHERE change_runs.room_id = rooms.room_id), -1)
                """)
        return pending.filter(\.isNumber) == "0"
    }

    /// Ends the reading of a round.
    func stop() async throws {
        reading.withLock { $0.take() }?.cancel()
        for id in webhookIDs { try await client.pauseWebhook(id) }
    }

    func close() { for listener in listeners { listener.stop() } }
}
