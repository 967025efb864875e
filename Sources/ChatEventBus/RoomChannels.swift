import ChatEvents
import CommonUtil
import RedisClient
import ServiceLifecycle

/// The rooms that a server hears of where it does not hear of all: each is a channel of its own on Redis.
///
/// Wishes are carried out in the order in which they came, by one task, so that a room that is let go of and wanted
/// again ends up subscribed. What comes while Redis is asked waits and is asked for together.
final class RoomChannels: Service {
    private enum Wish {
        case follow(RoomID, done: CheckedContinuation<Void, Never>)
        case drop(RoomID)
    }

    private let subscription: RedisSubscription
    private let wishes = BatchQueue<Wish>(capacity: 1 << 20)

    init(subscription: RedisSubscription) { self.subscription = subscription }

    /// Returns when the room's events are heard; also where Redis is away: it is subscribed to with the rest when Redis
    /// comes back, and meanwhile nothing is heard of any room.
    func follow(_ roomID: RoomID) async {
        await withCheckedContinuation { done in
            do { try wishes.append(.follow(roomID, done: done)) } catch { done.resume() }
        }
    }

    /// Stops hearing of a room, soon.
    func drop(_ roomID: RoomID) { try? wishes.append(.drop(roomID)) }

    func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            while let batch = await wishes.next(upTo: 1_024) { await carryOut(batch) }
        } onCancelOrGracefulShutdown: {
            self.wishes.stop()
        }
    }

    private func carryOut(_ batch: [Wish]) async {
        // Of a room's wishes the last one counts.
        var isWanted: [RoomID: Bool] = [:]
        for wish in batch {
            switch wish {
            case .follow(let roomID, _): isWanted[roomID] = true
            case .drop(let roomID): isWanted[roomID] = false
            }
        }
        func names(wanted: Bool) -> [String] {
            isWanted.filter { $0.value == wanted }.map { EventChannel.room($0.key).name }
        }
        let (wanted, unwanted) = (names(wanted: true), names(wanted: false))
        // Names are remembered from the call on, whatever comes of it now.
        if !wanted.isEmpty { try? await subscription.subscribe(channels: wanted) }
        if !unwanted.isEmpty { try? await subscription.unsubscribe(channels: unwanted) }
        for case .follow(_, let done) in batch { done.resume() }
    }
}
