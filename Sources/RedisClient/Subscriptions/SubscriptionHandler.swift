import NIOCore

/// The last handler of a subscriber connection: hands messages on in batches, and everything else to the session.
final class SubscriptionHandler: ChannelInboundHandler {
    typealias InboundIn = [RESPFrame]
    typealias OutboundOut = ByteBuffer

    private let session: SubscriptionSession
    private let lost: EventLoopPromise<String>
    private var context: ChannelHandlerContext?
    private var batch: [RedisMessage] = []
    private var liveness: Liveness
    private var livenessCheck: Scheduled<Void>?
    private var restoreDeadline: Scheduled<Void>?
    private var closeReason: String?

    /// `lost` is succeeded with the reason when the connection is gone.
    init(session: SubscriptionSession, lost: EventLoopPromise<String>) {
        self.session = session
        self.lost = lost
        let configuration = session.configuration
        liveness = Liveness(
            interval: TimeAmount(configuration.keepAliveInterval), timeout: TimeAmount(configuration.keepAliveTimeout),
            now: .now())
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let limit = TimeAmount(session.configuration.connectTimeout)
        restoreDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: limit) {
            self.close("subscriptions not confirmed in time")
        }
        checkLiveness()
        session.connected(self)
    }

    // MARK: Writing

    func send(_ verb: SubscriptionStateMachine.Verb, names: [String]) {
        guard let context else { return }
        var bytes = context.channel.allocator.buffer(capacity: 32 * (names.count + 1))
        bytes.writeRedisCommand(verb.rawValue.uppercased(), names)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func restored() {
        restoreDeadline?.cancel()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        for frame in unwrapInboundIn(data) where self.context != nil {
            switch frame {
            case .message(let message): batch.append(message)
            case .value(let value): session.received(value)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        liveness.received(now: context.eventLoop.now)
        deliver()
        context.fireChannelReadComplete()
    }

    private func deliver() {
        if batch.isEmpty { return }
        let messages = batch
        batch = []
        session.deliver(messages)
    }

    // MARK: Time

    private func checkLiveness() {
        guard let context else { return }
        let next: NIODeadline
        switch liveness.check(now: context.eventLoop.now) {
        case .dead: return close("the server is silent")
        case .check(let time): next = time
        case .ping(let time):
            next = time
            var bytes = context.channel.allocator.buffer(capacity: 16)
            bytes.writeRedisCommand("PING", [])
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
        livenessCheck = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.checkLiveness()
        }
    }

    // MARK: The end

    func close(_ reason: String) {
        guard let context, closeReason == nil else { return }
        closeReason = reason
        context.close(promise: nil)
        // Not only when the channel is closed: TLS waits for a peer, which may be dead, to say goodbye.
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(ConnectionFailure(connecting: error).reason)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    private func end() {
        guard context != nil else { return }
        context = nil
        livenessCheck?.cancel()
        restoreDeadline?.cancel()
        deliver()
        let reason = closeReason ?? "closed by the server"
        session.disconnected(self, reason: reason)
        lost.succeed(reason)
    }
}
