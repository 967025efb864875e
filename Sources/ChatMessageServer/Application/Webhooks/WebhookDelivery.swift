import ChatStorage
import CommonUtil
import Logging
import Metrics

/// Makes requests to receivers. One connection is kept for each sender.
protocol WebhookSending: Sendable {
    /// Posts a body, and waits for the answer for a bounded time.
    /// - Parameter address: where to connect to, whatever the host's name leads to by then.
    func send(
        _ body: [UInt8], headers: [(String, String)], to url: WebhookURL, at address: String
    ) async -> WebhookResponse
    /// Closes the connection.
    func close() async
}

/// Delivers the events of one webhook, one delivery after another.
struct WebhookDelivery: Sendable {
    /// Events of a delivery.
    static let maximumItems = 100
    /// Longest time until a webhook is read again, so that changes of it are noticed.
    private static let rereadInterval = Duration.seconds(1)
    /// The same for a webhook that only a replay can continue.
    private static let replayCheckInterval = Duration.seconds(5)
    /// Longest pause between two deliveries. After a delivery the webhook pauses four times as long as it has used the
    /// database, so that a busy database has capacity for posts.
    private static let longestPause = Duration.milliseconds(100)
    /// The pause after an empty page while the server stops, when nothing waits for events any more.
    private static let drainingPause = Duration.milliseconds(200)

    private static let backoff = Backoff(first: .milliseconds(200), longest: .seconds(2))

    let holder: Int64
    let work: WebhookWorkRepository
    let changes: ChangeService
    /// Webhooks are mostly at the same place.
    private let pages: SharedChangePages
    let targets: WebhookTargets
    let makeSender: @Sendable () -> any WebhookSending
    /// For an attempt in all, from the look-up of the name to the end of the answer.
    let timeout: Duration
    let logger: Logger
    private let attempts = Counter(label: "chat_webhook_attempts_total")
    private let failures = Counter(label: "chat_webhook_failures_total")

    init(
        holder: Int64 = .random(in: .min ... .max), work: WebhookWorkRepository, changes: ChangeService,
        targets: WebhookTargets, timeout: Duration = .seconds(15), logger: Logger,
        makeSender: @escaping @Sendable () -> any WebhookSending
    ) {
        self.holder = holder
        self.work = work
        self.changes = changes
        pages = SharedChangePages { try await changes.changes($0) }
        self.targets = targets
        self.timeout = timeout
        self.logger = logger
        self.makeSender = makeSender
    }

    /// Delivers until the task is cancelled, which it is once the webhook is no longer this server's.
    func run(_ webhookID: String) async {
        let sender = makeSender()
        var backoff = Self.backoff
        while !Task.isCancelled {
            do {
                guard let work = try await work.work(webhookID, holder: holder) else {
                    // Paused, removed, or taken over by another server. This task is cancelled soon, unless the webhook
                    // is back by then.
                    try await Task.sleep(for: Self.rereadInterval)
                    continue
                }
                let used = try await step(work, sender)
                backoff.reset()
                if used > .zero { try await Task.sleep(for: min(used * 4, Self.longestPause)) }
            } catch is CancellationError {
                break
            } catch {
                logger.debug("a webhook is delivered to later", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
        await sender.close()
    }

    /// - Returns: how long a delivery took in the database; zero where nothing was delivered.
    private func step(_ work: WebhookWork, _ sender: any WebhookSending) async throws -> Duration {
        guard work.wait <= .zero else {
            try await Task.sleep(for: min(work.wait, Self.rereadInterval))
            return .zero
        }
        let webhook = work.webhook
        let page: ChangePage
        do {
            page =
                if let pending = work.pending {
                    try await changes.changes(
                        .init(
                            start: .after(webhook.cursor), filter: webhook.filter, limit: Self.maximumItems,
                            wait: .zero, end: pending.end))
                } else {
                    try await pages.page(
                        after: webhook.cursor, webhook.filter, limit: Self.maximumItems, wait: Self.rereadInterval)
                }
        } catch let error as ChatError where error.code == .cursorUnknown {
            // The database was set back. Only a replay helps, which is noticed at the next reading.
            logger.error("the cursor of a webhook is not known", metadata: ["webhook": "\(webhook.webhookID)"])
            try await Task.sleep(for: Self.replayCheckInterval)
            return .zero
        }
        guard !page.isEmpty else {
            if page.next != webhook.cursor {
                try await self.work.advance(
                    webhook.webhookID, from: webhook.cursor, to: page.next, holder: holder)
            }
            if await changes.watch.isDraining { try await Task.sleep(for: Self.drainingPause) }
            return .zero
        }
        if let pending = work.pending { return try await attempt(pending, page, work, sender) }
        let delivery = PendingDelivery(deliveryID: "dl_" + RoomID.random().rawValue, end: page.next)
        let start = ContinuousClock.now
        // While events were waited for the webhook may have been given another URL, secret or filter, or been paused.
        guard try await self.work.begin(delivery, of: webhook.webhookID, after: webhook.cursor, holder: holder),
            let current = try await self.work.work(webhook.webhookID, holder: holder), current.pending == delivery,
            current.webhook.filter == webhook.filter
        else { return .zero }
        let begun = ContinuousClock.now - start
        return begun + (try await attempt(delivery, page, current, sender))
    }

    /// - Returns: how long it took to store what came of it.
    private func attempt(
        _ delivery: PendingDelivery, _ page: ChangePage, _ work: WebhookWork, _ sender: any WebhookSending
    ) async throws -> Duration {
        let webhook = work.webhook
        let (at, start) = (Timestamp.now, ContinuousClock.now)
        let body = WebhookBody(webhookID: webhook.webhookID, deliveryID: delivery.deliveryID, at: at, page: page)
        let bytes = body.jsonBytes
        let response =
            await TimeLimit.within(timeout) { await send(bytes, delivery.deliveryID, at, work, sender) }
            ?? .failed("was not answered in time")
        try Task.checkCancellation()
        attempts.increment()
        if response.error != nil { failures.increment() }
        let answered = ContinuousClock.now
        let attempt = WebhookAttempt(
            deliveryID: delivery.deliveryID, at: at, status: response.status, error: response.error,
            duration: answered - start, items: page.count, from: webhook.cursor, to: page.next)
        try await finish(attempt, of: webhook.webhookID, response.outcome(failures: webhook.failures))
        return .now - answered
    }

    /// Stores an attempt, until that succeeds or the task is cancelled: what has been sent is not sent again only because
    /// the database takes no writes for a while.
    private func finish(
        _ attempt: WebhookAttempt, of webhookID: String, _ outcome: WebhookWorkRepository.Outcome
    ) async throws {
        var backoff = Self.backoff
        while true {
            do {
                try await work.finish(attempt, of: webhookID, outcome, holder: holder)
                return
            } catch {
                try Task.checkCancellation()
                logger.debug("what came of a delivery is stored later", metadata: ["reason": "\(error)"])
                try await Task.sleep(for: backoff.next())
            }
        }
    }

    private func send(
        _ body: [UInt8], _ deliveryID: String, _ at: Timestamp, _ work: WebhookWork, _ sender: any WebhookSending
    ) async -> WebhookResponse {
        do {
            let url = try WebhookURL(work.webhook.url)
            let address = try await targets.address(of: url)
            let headers = WebhookSecret.headers(for: body, id: deliveryID, at: at, secrets: work.secrets)
            return await sender.send(body, headers: headers, to: url, at: address)
        } catch {
            return .failed(error.detail)
        }
    }
}
