import NIOCore

/// The last handler of a subscriber connection: passes messages on in batches, and all other replies to the session.
final class SubscriptionHandler: ConnectionHandler {
    typealias InboundIn = [RESPFrame]
    typealias OutboundOut = ByteBuffer

    private let session: SubscriptionSession
    private let lost: EventLoopPromise<String>
    var context: ChannelHandlerContext?
    private var batch: [RedisMessage] = []
    private var liveness: Liveness
    private var livenessCheck: Scheduled<Void>?
    private var restoreDeadline: Scheduled<Void>?
    var closeReason: String?

    /// - Parameter lost: succeeds with the reason when the connection has ended.
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

    /// All names are subscribed.
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
            sendPing()
        }
        livenessCheck = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.checkLiveness()
        }
    }

    // MARK: The end

    func ended(reason: String) {
        livenessCheck?.cancel()
        restoreDeadline?.cancel()
        deliver()
        session.disconnected(self, reason: reason)
        lost.succeed(reason)
    }
}

/// Tracks whether an idle connection is alive: after an interval without bytes it is sent a `PING`, and without a reply
/// it is dead. Pure: no I/O.
struct Liveness {
    /// What to do after a check.
    enum Action: Equatable {
        case check(at: NIODeadline)
        case ping(checkAt: NIODeadline)
        case dead
    }

    private let interval: TimeAmount
    private let timeout: TimeAmount
    private var lastRead: NIODeadline
    private var pinged: NIODeadline?

    init(interval: TimeAmount, timeout: TimeAmount, now: NIODeadline) {
        self.interval = interval
        self.timeout = timeout
        lastRead = now
    }

    /// Bytes were received.
    mutating func received(now: NIODeadline) {
        lastRead = now
        pinged = nil
    }

    /// - Returns: the next check, or what to do now.
    mutating func check(now: NIODeadline) -> Action {
        if let pinged {
            return now >= pinged + timeout ? .dead : .check(at: pinged + timeout)
        }
        if now < lastRead + interval {
            return .check(at: lastRead + interval)
        }
        pinged = now
        return .ping(checkAt: now + min(interval, timeout))
    }
}
