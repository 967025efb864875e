import Metrics
import NIOCore

/// The last handler of a command connection: writes what the inbox holds, gives replies to those who wait for them.
final class CommandHandler: ChannelInboundHandler {
    typealias InboundIn = [RESPFrame]
    typealias OutboundOut = ByteBuffer

    /// Smaller commands are gathered into one buffer; larger ones are written as they are, without a copy.
    private static let gatheredBytes = 16_384

    private enum Command {
        case batch(CommandBatch)
        case keepAlive
    }

    private let inbox: CommandInbox
    private let configuration: RedisConfiguration
    private let metrics: CommandMetrics
    private let lost: EventLoopPromise<String>

    private var context: ChannelHandlerContext?
    private var machine = CommandStateMachine<Command>()
    private var deadlineCheck: Scheduled<Void>?
    private var keepAlive: Scheduled<Void>?
    private var lastRead = NIODeadline.uptimeNanoseconds(0)
    private var closeReason: String?
    private var timedOut = false

    /// `lost` is succeeded with the reason when the connection is gone.
    init(
        inbox: CommandInbox, configuration: RedisConfiguration, metrics: CommandMetrics, lost: EventLoopPromise<String>
    ) {
        self.inbox = inbox
        self.configuration = configuration
        self.metrics = metrics
        self.lost = lost
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        lastRead = context.eventLoop.now
        scheduleKeepAlive(at: lastRead + TimeAmount(configuration.keepAliveInterval), on: context.eventLoop)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        inbox.open { bound.eventLoop.execute { bound.value.sendQueued() } }
    }

    // MARK: Writing

    private func sendQueued() {
        guard let context else { return }
        let buffers = takeQueued(context.channel.allocator)
        for buffer in buffers { context.write(wrapOutboundOut(buffer), promise: nil) }
        // Last, since a flush that fails reads what is left of the connection and ends it, before it returns.
        context.flush()
        watchDeadline()
    }

    /// - Returns: the bytes to be written; from now on their replies are expected.
    private func takeQueued(_ allocator: ByteBufferAllocator) -> [ByteBuffer] {
        var buffers: [ByteBuffer] = []
        var abandoned: [CommandBatch] = []
        var gathered = allocator.buffer(capacity: 0)
        for batch in inbox.takeQueued() {
            // A command whose caller was cancelled before it was written is not written.
            if batch.isOver {
                abandoned.append(batch)
                continue
            }
            machine.sent(.batch(batch), replies: batch.count, deadline: batch.deadline)
            if batch.bytes.readableBytes <= Self.gatheredBytes {
                gathered.writeImmutableBuffer(batch.bytes)
                continue
            }
            if gathered.readableBytes > 0 {
                buffers.append(gathered)
                gathered = allocator.buffer(capacity: 0)
            }
            buffers.append(batch.bytes)
        }
        inbox.release(abandoned)
        if gathered.readableBytes > 0 { buffers.append(gathered) }
        return buffers
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.context != nil else { return }
        lastRead = context.eventLoop.now
        var deliveries: [(batch: CommandBatch, reply: CommandBatch.Reply)] = []
        var finished: [CommandBatch] = []
        var isOutOfStep = false
        for frame in unwrapInboundIn(data) {
            guard case .value(let value) = frame, case .deliver(let command, let isLast) = machine.received() else {
                isOutOfStep = true
                break
            }
            guard case .batch(let batch) = command else { continue }
            deliveries.append((batch, value.asReply))
            if isLast { finished.append(batch) }
        }
        // Room is made before anybody is told, so that one who sends again at once finds it.
        inbox.release(finished)
        metrics.commands.increment(by: deliveries.count)
        for delivery in deliveries {
            delivery.batch.deliver(delivery.reply)
        }
        if isOutOfStep {
            close("a reply that belongs to no command")
        } else if machine.isDrained {
            close("shut down")
        }
    }

    // MARK: Time

    private func watchDeadline() {
        guard deadlineCheck == nil, let context else { return }
        switch machine.checkDeadline(now: context.eventLoop.now) {
        case .idle: return
        case .expired:
            timedOut = true
            close("no reply in time")
        case .check(let deadline):
            deadlineCheck = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
                self.deadlineCheck = nil
                self.watchDeadline()
            }
        }
    }

    private func scheduleKeepAlive(at time: NIODeadline, on eventLoop: any EventLoop) {
        keepAlive = eventLoop.assumeIsolated().scheduleTask(deadline: time) {
            self.checkIdle()
        }
    }

    /// An idle connection proves with a `PING` that it is alive; a busy one is watched by its deadlines.
    private func checkIdle() {
        guard let context else { return }
        let now = context.eventLoop.now
        let interval = TimeAmount(configuration.keepAliveInterval)
        if machine.isEmpty, lastRead + interval <= now {
            machine.sent(.keepAlive, replies: 1, deadline: now + TimeAmount(configuration.commandTimeout))
            var bytes = context.channel.allocator.buffer(capacity: 16)
            bytes.writeRedisCommand("PING", [])
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
            watchDeadline()
        }
        let isFresh = lastRead + interval > now
        scheduleKeepAlive(at: (isFresh ? lastRead : now) + interval, on: context.eventLoop)
    }

    // MARK: The end

    /// Lets what is in flight finish within the configured grace. The inbox must refuse more by now.
    func shutDown() {
        guard let context else { return }
        sendQueued()
        machine.drain()
        if machine.isDrained {
            return close("shut down")
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(configuration.shutdownGrace)) {
            self.close("shut down")
        }
    }

    private func close(_ reason: String) {
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
        deadlineCheck?.cancel()
        keepAlive?.cancel()
        let reason = closeReason ?? "closed by the server"
        let unsent = inbox.goDown(reason)
        let unanswered = machine.close()
        for (index, command) in unanswered.enumerated() {
            guard case .batch(let batch) = command else { continue }
            // Only the first was late; the others waited behind it.
            batch.fail(timedOut && index == 0 ? .timedOut : .connectionLost(outcomeUnknown: true))
        }
        for batch in unsent {
            batch.fail(.connectionLost(outcomeUnknown: false))
        }
        metrics.failures.increment(by: unanswered.count + unsent.count)
        lost.succeed(reason)
    }
}

extension RESPValue {
    /// An error reply is the command's failure.
    fileprivate var asReply: CommandBatch.Reply {
        if case .error(let message) = self { .failure(.server(message)) } else { .success(self) }
    }
}
