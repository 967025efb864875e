import ChatEvents
import CommonUtil
import Logging
import NIOCore
import RedisClient
import ServiceLifecycle
import Synchronization

/// What servers publish on Redis about rooms that have something new (``ChangedRooms``).
///
/// There is a connection at all times and a subscription only while hints are wanted, which is on one server.
final class RedisRoomHints: RoomHints, Service {
    private struct State {
        var isWanted = false
        var isConnected = false
        /// Whether hints come.
        var isHinted: Bool { isWanted && isConnected }
    }

    private let subscription: RedisSubscription
    private let state: HintState

    /// - Parameters:
    ///   - onRooms: called with rooms that have something new. Must not block.
    ///   - onChange: called when hints begin or cease to come.
    init(
        configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger,
        onRooms: @escaping @Sendable ([RoomID]) -> Void, onChange: @escaping @Sendable (Bool) -> Void
    ) {
        // A prefix of its own: by the metrics of the subscription to events operators see whether delivery works.
        var configuration = configuration
        configuration.metricPrefix = "chat_changes_redis"
        let state = HintState(onChange: onChange)
        self.state = state
        subscription = RedisSubscription(
            configuration: configuration, eventLoop: eventLoop, logger: logger,
            onMessages: { messages in
                let rooms = messages.flatMap {
                    ChangedRooms(json: Array($0.payload.readableBytesView))?.roomIDs ?? []
                }
                if !rooms.isEmpty { onRooms(rooms) }
            },
            onStateChange: { new in state.update { $0.isConnected = new == .subscribed } })
    }

    /// Keeps the connection until graceful shutdown.
    func run() async throws { try await subscription.run() }

    func setWanted(_ isWanted: Bool) {
        // Without a connection this takes as long as a command may, and nobody waits for it: the names are kept, and
        // subscribed to once there is one.
        Task { [subscription, state] in
            if isWanted {
                try? await subscription.subscribe(channels: [ChangedRooms.channel])
            } else {
                try? await subscription.unsubscribe(channels: [ChangedRooms.channel])
            }
            state.update { $0.isWanted = isWanted }
        }
    }

    /// What is known of the subscription, shared with its callbacks.
    private final class HintState: Sendable {
        private let state = Mutex(State())
        private let onChange: @Sendable (Bool) -> Void

        init(onChange: @escaping @Sendable (Bool) -> Void) { self.onChange = onChange }

        func update(_ change: (inout State) -> Void) {
            let isHinted = state.withLock { state -> Bool? in
                let before = state.isHinted
                change(&state)
                return state.isHinted == before ? nil : state.isHinted
            }
            if let isHinted { onChange(isHinted) }
        }
    }
}
