import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// Something that attackers do until they are stopped.
protocol AttackLoad: Sendable {
    func start() async throws
    func stop() async throws -> ConnectionCounts
}

/// Connections of one attacker. Each sends its opening once and then its chunks in turn, until it is stopped.
final class AttackConnections: AttackLoad {
    struct Plan: Sendable {
        var port: Int
        var connections: Int
        /// Sent once on each connection: a handshake, for instance.
        var opening = ByteBuffer()
        /// Sent again and again, in turn.
        var chunks: [ByteBuffer] = []
        /// From one chunk of a connection to its next; nil for as fast as the server takes them.
        var interval: TimeAmount?
        /// Without it nothing is read, and the receive buffer is as small as the kernel lets it be.
        var reads = true
        /// A connection that the server ends is made again after a second.
        var isReopened = true
    }

    private let plan: Plan
    private let eventLoop: any EventLoop
    private let state = Mutex<(counts: ConnectionCounts, channels: [ObjectIdentifier: any Channel], isStopping: Bool)>(
        (ConnectionCounts(), [:], false))

    init(_ plan: Plan, on eventLoop: any EventLoop) {
        self.plan = plan
        self.eventLoop = eventLoop
    }

    func start() async throws {
        for index in 0..<plan.connections {
            eventLoop.scheduleTask(in: .milliseconds(Int64(index) * 5)) { self.connect() }
        }
    }

    func stop() async throws -> ConnectionCounts {
        let (counts, channels) = state.withLock { state in
            state.isStopping = true
            return (state.counts, Array(state.channels.values))
        }
        for channel in channels { channel.close(promise: nil) }
        return counts
    }

    fileprivate func sent(_ bytes: Int) { state.withLock { $0.counts.sentBytes += bytes } }

    private var isStopping: Bool { state.withLock { $0.isStopping } }

    private func connect() {
        guard !isStopping else { return }
        let plan = plan
        var bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AttackHandler(plan, of: self))
                }
            }
        if !plan.reads {
            bootstrap = bootstrap.channelOption(.autoRead, value: false)
                .channelOption(.socketOption(.so_rcvbuf), value: 4_096)
        }
        bootstrap.connect(host: "127.0.0.1", port: plan.port).whenComplete { result in
            guard case .success(let channel) = result else { return self.ended() }
            let id = ObjectIdentifier(channel)
            let isStopping = self.state.withLock { state in
                state.counts.connected += 1
                state.channels[id] = channel
                return state.isStopping
            }
            if isStopping { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in
                self.state.withLock { $0.channels[id] = nil }
                self.ended()
            }
        }
    }

    private func ended() {
        let isStopping = state.withLock { state in
            if !state.isStopping { state.counts.ended += 1 }
            return state.isStopping
        }
        if !isStopping, plan.isReopened { eventLoop.scheduleTask(in: .seconds(1)) { self.connect() } }
    }
}

/// One connection of ``AttackConnections``.
private final class AttackHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// After the opening, so that a handshake has been answered.
    private static let pause = TimeAmount.milliseconds(300)
    private static let chunksOfOneTurn = 16

    private let plan: AttackConnections.Plan
    private let load: AttackConnections
    private var next = 0
    private var hasBegun = false

    init(_ plan: AttackConnections.Plan, of load: AttackConnections) {
        self.plan = plan
        self.load = load
    }

    func channelActive(context: ChannelHandlerContext) {
        send(plan.opening, context)
        guard !plan.chunks.isEmpty else { return }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.hasBegun = true
            self.pump(context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Answers are thrown away.
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if plan.interval == nil, hasBegun { pump(context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func pump(_ context: ChannelHandlerContext) {
        if let interval = plan.interval {
            guard context.channel.isActive else { return }
            if context.channel.isWritable { sendNext(context) }
            context.eventLoop.assumeIsolated().scheduleTask(in: interval) { self.pump(context) }
            return
        }
        for _ in 0..<Self.chunksOfOneTurn {
            guard context.channel.isActive, context.channel.isWritable else { return }
            sendNext(context)
        }
        // Others of this event loop have their turn.
        context.eventLoop.assumeIsolated().execute { self.pump(context) }
    }

    private func sendNext(_ context: ChannelHandlerContext) {
        send(plan.chunks[next % plan.chunks.count], context)
        next += 1
    }

    private func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard bytes.readableBytes > 0 else { return }
        load.sent(bytes.readableBytes)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }
}

extension HeldConnections: AttackLoad {}
