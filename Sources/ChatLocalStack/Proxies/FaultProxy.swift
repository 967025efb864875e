import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy on a loopback port of its own that can do to a link what networks do: cut it, swallow what it carries,
/// lose some of what is published over it.
public final class FaultProxy: Sendable {
    /// What the proxy does to the link.
    public enum Mode: Sendable, Equatable {
        case pass
        /// All connections are closed, what they hold is lost, and new ones are closed at once.
        case cut
        /// Connections stay open and are accepted, and nothing gets through. What was sent meanwhile goes on its way
        /// when the link passes again, as TCP has it.
        case blackHole
        /// All connections are closed, and new ones get this text in answer to whatever they send.
        case answer(String)
        /// This percentage of the events that Redis pushes is left out. All else passes: answers, and the probes that a
        /// server publishes to its own subscription.
        case dropPushes(percent: Int)
        /// Events that Redis pushes on channels that begin so are left out. All else passes.
        case dropPushesOn(channelPrefix: String)
    }

    /// The protocol of the link.
    public enum Wire: Sendable {
        case opaque
        /// Redis (RESP2), whose pushes can be dropped.
        case redis
    }

    /// Counts of what the proxy has done.
    public struct Counts: Sendable, Equatable {
        /// Connections that were passed on.
        public internal(set) var accepted = 0
        /// Connections that were closed at once.
        public internal(set) var refused = 0
        /// Connections that were answered by the proxy.
        public internal(set) var answered = 0
        /// Open connections that were closed.
        public internal(set) var cut = 0
        /// Connections on which nothing got through for a while.
        public internal(set) var held = 0
        /// Events that were left out.
        public internal(set) var pushesDropped = 0
        /// Events that were passed on.
        public internal(set) var pushesPassed = 0

        public init() {}

        /// The difference since `earlier`.
        public static func - (now: Counts, earlier: Counts) -> Counts {
            var difference = now
            difference.accepted -= earlier.accepted
            difference.refused -= earlier.refused
            difference.answered -= earlier.answered
            difference.cut -= earlier.cut
            difference.held -= earlier.held
            difference.pushesDropped -= earlier.pushesDropped
            difference.pushesPassed -= earlier.pushesPassed
            return difference
        }
    }

    /// Where it listens.
    public let port: Int
    private let core: NIOLoopBound<ProxyCore>
    private let eventLoop: any EventLoop
    private let listener: any Channel
    private let tally: ProxyTally

    private init(
        port: Int, core: NIOLoopBound<ProxyCore>, eventLoop: any EventLoop, listener: any Channel, tally: ProxyTally
    ) {
        self.port = port
        self.core = core
        self.eventLoop = eventLoop
        self.listener = listener
        self.tally = tally
    }

    /// Starts one in front of a loopback port, where nothing need be listening yet.
    /// - Parameter tap: sees, on the event loop and just before it is passed on, each command of a client of Redis.
    public static func start(
        to target: Int, wire: Wire = .opaque,
        on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
        tap: (@Sendable (ByteBuffer) -> Void)? = nil
    ) async throws -> FaultProxy {
        let port = try FreePort.next()
        let tally = ProxyTally()
        let core = try await eventLoop.submit {
            NIOLoopBound(
                ProxyCore(target: target, wire: wire, eventLoop: eventLoop, tally: tally, tap: tap),
                eventLoop: eventLoop)
        }.get()
        let listener = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try core.value.accept(channel) }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return FaultProxy(port: port, core: core, eventLoop: eventLoop, listener: listener, tally: tally)
    }

    /// Changes what it does from now on, for open connections, too.
    public func set(_ mode: Mode) async throws {
        let core = core
        try await eventLoop.submit { core.value.set(mode) }.get()
    }

    /// The counts so far; may be read on any thread.
    public var counts: Counts { tally.counts }

    /// Stops listening and closes all connections.
    public func stop() async throws {
        try await set(.cut)
        try await listener.close().get()
    }
}

/// The counts of a proxy, which are read from anywhere.
final class ProxyTally: Sendable {
    private let state = Mutex(FaultProxy.Counts())

    var counts: FaultProxy.Counts { state.withLock { $0 } }

    func add(_ change: (inout FaultProxy.Counts) -> Void) {
        state.withLock { change(&$0) }
    }
}
