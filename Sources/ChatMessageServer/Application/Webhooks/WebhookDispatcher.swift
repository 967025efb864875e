import ChatStorage
import CommonUtil
import Logging
import Metrics
import ServiceLifecycle

/// Delivers to the webhooks whose leases this server has, each in a task of its own, so that a slow or dead receiver
/// holds up no other.
final class WebhookDispatcher: Service {
    struct Timing {
        /// How long leases last without being extended. With ``interval`` another server takes over after 3.5 seconds at
        /// most, which leaves it time to deliver what has come meanwhile within five.
        var lease = Duration.milliseconds(2_500)
        /// Time between two extensions.
        var interval = Duration.milliseconds(1_000)
    }

    private let work: WebhookWorkRepository
    private let delivery: WebhookDelivery
    private let timing: Timing
    private let holder: Int64
    private let gate = StartGate()
    private let logger: Logger
    private let held = Gauge(label: "chat_webhooks_held")

    init(_ delivery: WebhookDelivery, timing: Timing = Timing(), logger: Logger) {
        work = delivery.work
        holder = delivery.holder
        self.delivery = delivery
        self.timing = timing
        self.logger = logger
    }

    /// Starts the work, once the database is migrated.
    func begin() { gate.open() }

    /// Delivers until graceful shutdown, from ``begin()`` on, and gives the leases up at the end.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await self.gate.wait()
            await self.keepDelivering()
        }
        // In a task of its own, since this one may be cancelled. Without an answer the leases just run out.
        _ = await Task { [work, holder] in try await work.release(holder) }.result
    }

    private func keepDelivering() async {
        var running: [String: Task<Void, Never>] = [:]
        while !Task.isCancelled {
            do {
                let ids = try await work.acquire(holder, for: timing.lease)
                held.record(ids.count)
                for (id, task) in running where !ids.contains(id) {
                    task.cancel()
                    running[id] = nil
                }
                for id in ids where running[id] == nil {
                    running[id] = Task { [delivery] in await delivery.run(id) }
                }
            } catch {
                logger.debug("webhooks are delivered later", metadata: ["reason": "\(error)"])
            }
            try? await Task.sleep(for: timing.interval)
        }
        for task in running.values { task.cancel() }
        for task in running.values { await task.value }
    }
}
