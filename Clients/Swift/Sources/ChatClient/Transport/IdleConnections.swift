import NIOConcurrencyHelpers
import NIOCore

/// Connections that wait for a further call: few, and not for long.
final class IdleConnections: Sendable {
    private struct Idle {
        let channel: any Channel
        let expiry: Scheduled<Void>
    }

    private struct State {
        var isOpen = false
        /// In the order in which they were last used.
        var idle: [ServerAddress: [Idle]] = [:]
    }

    private static let maximumOfServer = 8
    /// Shorter than any server waits, so that hardly a call meets a connection that is being closed.
    private static let lifetime = TimeAmount.seconds(30)

    private let state = NIOLockedValueBox(State())

    /// Number of idle connections.
    var count: Int { state.withLockedValue { $0.idle.values.reduce(0) { $0 + $1.count } } }

    /// Connections are kept from now on.
    func open() { state.withLockedValue { $0.isOpen = true } }

    /// Closes all, and keeps none from now on.
    func close() {
        let idle = state.withLockedValue { state in
            defer { state = State() }
            return state.idle.values.flatMap { $0 }
        }
        for idle in idle { Self.close(idle) }
    }

    /// Removes and returns the connection to a server that was used last, of those that seem to be open still.
    func take(_ server: ServerAddress) -> (any Channel)? {
        while let idle = state.withLockedValue({ $0.idle[server]?.popLast() }) {
            idle.expiry.cancel()
            if idle.channel.isActive { return idle.channel }
        }
        return nil
    }

    /// Keeps a connection whose call has ended, or closes it.
    func give(_ channel: any Channel, of server: ServerAddress) {
        let expiry = channel.eventLoop.scheduleTask(in: Self.lifetime) { [weak self] in
            self?.remove(channel, of: server)
            channel.close(promise: nil)
        }
        let surplus = state.withLockedValue { state -> [Idle] in
            let new = Idle(channel: channel, expiry: expiry)
            guard state.isOpen, channel.isActive else { return [new] }
            var idle = state.idle[server, default: []]
            let gone = idle.filter { !$0.channel.isActive }
            idle.removeAll { !$0.channel.isActive }
            idle.append(new)
            let surplus = idle.prefix(max(idle.count - Self.maximumOfServer, 0))
            state.idle[server] = Array(idle.dropFirst(surplus.count))
            return gone + surplus
        }
        for idle in surplus { Self.close(idle) }
    }

    private func remove(_ channel: any Channel, of server: ServerAddress) {
        state.withLockedValue { $0.idle[server]?.removeAll { $0.channel === channel } }
    }

    private static func close(_ idle: Idle) {
        idle.expiry.cancel()
        idle.channel.close(promise: nil)
    }
}
