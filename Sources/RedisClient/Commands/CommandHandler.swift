import Metrics
import NIOCore

/// The last handler of a command connection: writes the commands of the inbox and delivers their replies.
final class CommandHandler: ConnectionHandler {
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

    var context: ChannelHandlerContext?
    private var machine = CommandStateMachine<Command>()
    private var deadlineCheck: Scheduled<Void>?
    private var keepAlive: Scheduled<Void>?
    private var lastRead = NIODeadline.uptimeNanoseconds(0)
    var closeReason: String?
    private var timedOut = false

    /// - Parameter lost: succeeds with the reason when the connection has ended.
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

    /// Takes the queued commands, whose replies are expected from now on.
    /// - Returns: the bytes to write.
    private func takeQueued(_ allocator: ByteBufferAllocator) -> [ByteBuffer] {
        var buffers: [ByteBuffer] = []
        var abandoned: [CommandBatch] = []
        var gathered = allocator.buffer(capacity: 0)
        for batch in inbox.takeQueued() {
            // A command whose caller was cancelled before it was written is not written.
            if batch.isComplete {
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
        // Before the deliveries, so that a caller that sends again at once is within the bounds.
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

    /// Checks an idle connection with a `PING`; a busy one is checked by its deadlines.
    private func checkIdle() {
        guard let context else { return }
        let now = context.eventLoop.now
        let interval = TimeAmount(configuration.keepAliveInterval)
        if machine.isEmpty, lastRead + interval <= now {
            machine.sent(.keepAlive, replies: 1, deadline: now + TimeAmount(configuration.commandTimeout))
            sendPing()
            watchDeadline()
        }
        let isFresh = lastRead + interval > now
        scheduleKeepAlive(at: (isFresh ? lastRead : now) + interval, on: context.eventLoop)
    }

    // MARK: The end

    /// Lets commands in flight finish within the configured grace. The inbox must refuse new ones by now.
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

    func ended(reason: String) {
        deadlineCheck?.cancel()
        keepAlive?.cancel()
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
    /// The reply; an error reply is a failure.
    fileprivate var asReply: CommandBatch.Reply {
        if case .error(let message) = self { .failure(.server(message)) } else { .success(self) }
    }
}

/// The metrics of a command connection.
struct CommandMetrics: Sendable {
    /// Connections made after one was lost, by link.
    let reconnects: Counter
    /// Replies to commands.
    let commands: Counter
    /// Commands that were sent or queued and ended without a reply.
    let failures: Counter

    init(prefix: String) {
        reconnects = Counter(label: "\(prefix)_reconnects_total", dimensions: [("link", "commands")])
        commands = Counter(label: "\(prefix)_commands_total")
        failures = Counter(label: "\(prefix)_command_failures_total")
    }
}
