import Foundation
import NIOCore
import NIOPosix

/// Connections that send a request's head byte by byte, so slowly that it never ends. A connection that the server drops
/// is made again.
final class SlowConnections: Sendable {
    struct Outcome: Sendable {
        var dropped = 0
        /// Seconds from connecting to being dropped.
        var longest = 0.0
        /// Open connections that are older than allowed.
        var overdue = 0

        /// A second of grace for a busy machine.
        var isGood: Bool { dropped > 0 && overdue == 0 && longest < Double(SlowConnections.allowedSeconds + 1) }

        var text: String {
            String(
                format: "slow     %d dropped, the longest after %.1f s; %d open for too long", dropped, longest,
                overdue)
        }
    }

    /// The time after which a server must have dropped a connection.
    static let allowedSeconds = 10

    private let port: Int
    private let count: Int
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let pool: NIOLoopBoundBox<Pool>

    private struct Pool {
        var outcome = Outcome()
        var open: [ObjectIdentifier: (channel: any Channel, since: NIODeadline)] = [:]
        var isStopping = false
    }

    init(port: Int, count: Int) {
        self.port = port
        self.count = count
        pool = .makeBoxSendingValue(Pool(), eventLoop: eventLoop)
    }

    /// Connects all of them, spread over some seconds.
    func start() async throws {
        try await eventLoop.submit { [self] in
            for index in 0..<count {
                eventLoop.scheduleTask(in: .milliseconds(Int64(index) * 2)) { self.connect() }
            }
        }.get()
    }

    /// Closes all.
    func stop() async throws -> Outcome {
        try await eventLoop.submit { [self] in
            pool.value.isStopping = true
            let latest = NIODeadline.now() - .seconds(Int64(Self.allowedSeconds) + 1)
            pool.value.outcome.overdue = pool.value.open.values.count { $0.since < latest }
            for (channel, _) in pool.value.open.values { channel.close(promise: nil) }
            return pool.value.outcome
        }.get()
    }

    private func connect() {
        guard !pool.value.isStopping else { return }
        let start = NIODeadline.now()
        ClientBootstrap(group: eventLoop).connectTimeout(.seconds(10)).connect(host: "127.0.0.1", port: port)
            .whenComplete { [self] result in
                guard case .success(let channel) = result else {
                    eventLoop.scheduleTask(in: .seconds(1)) { self.connect() }
                    return
                }
                let id = ObjectIdentifier(channel)
                pool.value.open[id] = (channel, start)
                channel.writeAndFlush(ByteBuffer(string: "GET /ws/chat HTTP/1.1\r\nX-Slow: "), promise: nil)
                let trickle = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(3), delay: .seconds(3)) { _ in
                    channel.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
                }
                channel.closeFuture.whenComplete { _ in
                    trickle.cancel()
                    self.ended(id, since: start)
                }
            }
    }

    private func ended(_ id: ObjectIdentifier, since start: NIODeadline) {
        pool.value.open[id] = nil
        guard !pool.value.isStopping else { return }
        pool.value.outcome.dropped += 1
        let seconds = Double((NIODeadline.now() - start).nanoseconds) / 1e9
        pool.value.outcome.longest = max(pool.value.outcome.longest, seconds)
        connect()
    }
}
