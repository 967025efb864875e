import ChatEvents
import CommonUtil
import Logging
import Metrics
import RedisClient
import ServiceLifecycle
import Synchronization

/// The subscriptions of a server to single rooms (`CHAT_REDIS_SUBSCRIBE=room`): each room is a channel of its own on
/// Redis.
///
/// One task carries out changes in the order of the calls, so that a room that is dropped and followed again ends up
/// subscribed. Changes that come while Redis is responding share the next commands.
///
/// A room may be refused, by a bound (``RedisConfiguration/maximumSubscriptions``) or by Redis. Its events are then
/// read from the log, later; it is tried again every few seconds and as soon as other rooms are dropped.
final class RoomChannels: Service {
    private enum Change {
        case follow(RoomID, done: CheckedContinuation<Void, Never>)
        case drop(RoomID)
        case retry
    }

    private let subscription: RedisSubscription
    private let changes: BatchQueue<Change>
    private let retryInterval: Duration
    private let refused = Mutex<Set<RoomID>>([])
    private let refusedGauge = Gauge(label: "chat_redis_rooms_unsubscribed")
    private let logger: Logger
    private let warnings = Mutex(Throttle(interval: .seconds(60)))

    init(
        subscription: RedisSubscription, capacity: Int = 1 << 20, retryInterval: Duration = .seconds(5), logger: Logger
    ) {
        self.subscription = subscription
        self.retryInterval = retryInterval
        self.logger = logger
        changes = BatchQueue(capacity: capacity)
        refusedGauge.record(0)
    }

    /// The number of followed rooms whose channels are not subscribed although Redis is available.
    var refusedCount: Int { refused.withLock { $0.count } }

    /// Subscribes to a room, and returns when its events are delivered. Returns as well where Redis is away, since the
    /// room is subscribed with the others when Redis comes back, and where the room is refused.
    func follow(_ roomID: RoomID) async {
        await withCheckedContinuation { done in
            do throws(BatchQueue<Change>.Refusal) {
                try changes.append(.follow(roomID, done: done))
            } catch {
                if error == .full { refuse([roomID], "too many changes of subscriptions wait") }
                done.resume()
            }
        }
    }

    /// Ends the subscription to a room, without waiting.
    func drop(_ roomID: RoomID) { try? changes.append(.drop(roomID)) }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.carryOutChanges() }
            group.addTask { try? await cancelWhenGracefulShutdown { try await self.retryRefused() } }
            try await group.next()
            group.cancelAll()
        }
    }

    private func carryOutChanges() async {
        await withTaskCancellationOrGracefulShutdownHandler {
            while let batch = await changes.next(upTo: 1_024) { await carryOut(batch) }
        } onCancelOrGracefulShutdown: {
            self.changes.stop()
        }
    }

    private func retryRefused() async throws {
        while true {
            try await Task.sleep(for: retryInterval)
            if refusedCount > 0 { try? changes.append(.retry) }
        }
    }

    private func carryOut(_ batch: [Change]) async {
        // The last change of each room counts.
        var isWanted: [RoomID: Bool] = [:]
        var retries = false
        for change in batch {
            switch change {
            case .follow(let roomID, _): isWanted[roomID] = true
            case .drop(let roomID): isWanted[roomID] = false
            case .retry: retries = true
            }
        }
        func rooms(wanted: Bool) -> [RoomID] { isWanted.filter { $0.value == wanted }.map(\.key) }
        let (wanted, unwanted) = (rooms(wanted: true), rooms(wanted: false))
        if !unwanted.isEmpty {
            refused.withLock { $0.subtract(unwanted) }
            try? await subscription.unsubscribe(channels: unwanted.map(Self.channel))
        }
        if !wanted.isEmpty { await subscribe(wanted) }
        for case .follow(_, let done) in batch { done.resume() }
        let waiting = refused.withLock { Array($0.prefix(retries ? 1_024 : unwanted.count)) }
        if !waiting.isEmpty { await subscribe(waiting) }
        refusedGauge.record(refusedCount)
    }

    private func subscribe(_ rooms: [RoomID]) async {
        do throws(RedisError) {
            try await subscription.subscribe(channels: rooms.map(Self.channel))
        } catch .overloaded where rooms.count > 1 {
            // All names are accepted or none: a part of them may fit.
            await subscribe(Array(rooms[..<(rooms.count / 2)]))
            return await subscribe(Array(rooms[(rooms.count / 2)...]))
        } catch .overloaded {
            return refuse(rooms, "more rooms than a connection subscribes to")
        } catch .server(let message) {
            return refuse(rooms, String(message.prefix { $0 != " " }.prefix(32)))
        } catch {
            // The names are kept, and subscribed with the others when Redis comes back.
        }
        refused.withLock { $0.subtract(rooms) }
    }

    private func refuse(_ rooms: [RoomID], _ reason: String) {
        let count = refused.withLock { refused in
            refused.formUnion(rooms)
            return refused.count
        }
        guard warnings.withLock({ $0.pass(now: .now) }) != nil else { return }
        logger.warning(
            "rooms are not subscribed on Redis; their events are delivered later, from the log",
            metadata: ["reason": "\(reason)", "rooms": "\(count)"])
    }

    private static func channel(_ roomID: RoomID) -> String { EventChannel.room(roomID).name }
}
