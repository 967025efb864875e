import NIOCore
import NIOPosix

/// Counts of connections that an attacker or a fault makes.
struct ConnectionCounts: Sendable {
    var sentBytes = 0
    var connected = 0
    /// Connections that the server ended, or that could not be made.
    var ended = 0
}

/// Idle HTTP connections of a client that takes all that it gets: each asks for `/health/live` once and stays open. One
/// that the server ends is opened again after a pause.
final class HeldConnections: Sendable {
    private static let request = ByteBuffer(string: "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

    private struct State {
        var counts = ConnectionCounts()
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isStopping = false
    }

    private let port: Int
    private let count: Int
    private let pause: TimeAmount
    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    /// - Parameters:
    ///   - count: how many it tries to hold.
    ///   - pause: the time from the end of a connection to the next attempt.
    init(
        port: Int, count: Int, pause: TimeAmount = .seconds(1),
        on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    ) {
        self.eventLoop = eventLoop
        self.port = port
        self.count = count
        self.pause = pause
        state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    /// Begins to connect, two connections each millisecond.
    func start() async throws {
        try await eventLoop.submit { [self] in
            for index in 0..<count {
                eventLoop.scheduleTask(in: .microseconds(Int64(index) * 500)) { self.connect() }
            }
        }.get()
    }

    /// Closes all of them.
    @discardableResult
    func stop() async throws -> ConnectionCounts {
        try await eventLoop.submit { [state] in
            state.value.isStopping = true
            let counts = state.value.counts
            for channel in state.value.channels.values { channel.close(promise: nil) }
            return counts
        }.get()
    }

    private func connect() {
        guard !state.value.isStopping else { return }
        ClientBootstrap(group: eventLoop).connectTimeout(.seconds(10)).connect(host: "127.0.0.1", port: port)
            .whenComplete { [self] result in
                guard case .success(let channel) = result else { return ended() }
                guard !state.value.isStopping else { return channel.close(promise: nil) }
                let id = ObjectIdentifier(channel)
                state.value.channels[id] = channel
                state.value.counts.connected += 1
                state.value.counts.sentBytes += Self.request.readableBytes
                channel.writeAndFlush(Self.request, promise: nil)
                channel.closeFuture.whenComplete { [self] _ in
                    state.value.channels[id] = nil
                    ended()
                }
            }
    }

    private func ended() {
        guard !state.value.isStopping else { return }
        state.value.counts.ended += 1
        eventLoop.scheduleTask(in: pause) { self.connect() }
    }
}
