import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// A client of one Redis server, with one connection for pipelined commands, which ``run()`` maintains.
///
/// ```swift
/// let redis = RedisClient(configuration: try RedisConfiguration(url: "redis://127.0.0.1"), eventLoop: loop, logger:
/// logger) async let running: Void = redis.run()
/// try await redis.send("SET", "key", "value")
/// ```
///
/// Nothing is queued during an outage: without a connection commands fail at once with ``RedisError/notConnected``. No
/// command is sent twice. Commands that change how the connection replies (`SUBSCRIBE`, `MONITOR`, `HELLO`,
/// `CLIENT REPLY`) must not be sent; use ``RedisSubscription`` to subscribe.
public final class RedisClient: Service, Sendable {
    private let configuration: RedisConfiguration
    private let connector: RedisConnector
    private let inbox: CommandInbox
    private let metrics: CommandMetrics
    private let logger: Logger
    private let hasRun = Mutex(false)

    /// - Parameter eventLoop: the connection's, of a `MultiThreadedEventLoopGroup`.
    public init(configuration: RedisConfiguration, eventLoop: any EventLoop, logger: Logger) {
        self.configuration = configuration
        var logger = logger
        logger[metadataKey: "redis"] = "\(configuration.host):\(configuration.port)"
        logger[metadataKey: "link"] = "commands"
        self.logger = logger
        connector = RedisConnector(configuration: configuration, eventLoop: eventLoop, mode: .replies)
        inbox = CommandInbox(
            maximumCommands: configuration.maximumInFlight, maximumBytes: configuration.maximumInFlightBytes)
        metrics = CommandMetrics(prefix: configuration.metricPrefix)
    }

    /// Whether commands can be sent now.
    public var isConnected: Bool { inbox.isUp }

    /// A short reason, without secrets, why there is no connection; `nil` while there is one or none was tried yet.
    public var lastFailure: String? { inbox.lastFailure }

    /// Connects and reconnects until the task is cancelled or the service group shuts down; commands in flight then
    /// have ``RedisConfiguration/shutdownGrace`` to finish. Runs once.
    ///
    /// - Throws: ``RedisError/closed`` when it was called before.
    public func run() async throws {
        let isFirst = hasRun.withLock { hasRun in
            defer { hasRun = true }
            return !hasRun
        }
        guard isFirst else { throw RedisError.closed }
        await ReconnectLoop(connector: connector, logger: logger, reconnects: metrics.reconnects).run(
            install: { [self] channel in try install(on: channel) },
            onFailure: { [inbox] failure in inbox.stayDown(failure.reason) })
        inbox.close()
    }

    private func install(on channel: any Channel) throws -> RedisLink {
        let lost = channel.eventLoop.makePromise(of: String.self)
        let handler = CommandHandler(inbox: inbox, configuration: configuration, metrics: metrics, lost: lost)
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            lost.succeed("closed at once")
            throw error
        }
        let bound = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        return RedisLink(channel: channel, lost: lost.futureResult) { [inbox] in
            inbox.close()
            bound.eventLoop.execute { bound.value.shutDown() }
        }
    }

    // MARK: Commands

    /// Sends one command and waits for its reply.
    ///
    /// - Returns: the reply; never a top-level ``RESPValue/error(_:)``, which is thrown.
    /// - Throws: ``RedisError/server(_:)`` for an error reply, else the reason why there is no reply.
    @discardableResult
    public func send(_ arguments: RedisArgument...) async throws(RedisError) -> RESPValue {
        try await send(arguments)
    }

    /// Sends one command, given as a list that is not empty, and waits for its reply.
    @discardableResult
    public func send(_ arguments: [RedisArgument]) async throws(RedisError) -> RESPValue {
        guard !arguments.isEmpty else { throw .invalidConfiguration("a command needs a name") }
        var bytes = ByteBuffer()
        bytes.writeRedisCommand(arguments)
        guard let reply = await replies(to: bytes, count: 1).first else { throw .protocolViolation }
        return try reply.get()
    }

    /// Returns if the server replies to `PING`.
    public func ping() async throws(RedisError) {
        try await send("PING")
    }

    /// Whether the server is a replica: messages published there do not reach the subscribers of its primary, without
    /// an error.
    ///
    /// Asks with `HELLO 2`, which changes nothing, since the connection uses RESP2. A server that does not know it, or
    /// forbids it, counts as a primary.
    public func isReplica() async -> Bool {
        guard case .array(let fields) = try? await send("HELLO", "2") else { return false }
        let role = zip(fields, fields.dropFirst()).first { $0.0.string == "role" }?.1.string
        return role == "replica" || role == "slave"
    }

    // MARK: Publishing

    /// Publishes one message (`PUBLISH`). Never waits for a connection.
    ///
    /// - Returns: the number of subscribers of this server that received it.
    @discardableResult
    public func publish(_ payload: [UInt8], to channel: String) async throws(RedisError) -> Int {
        guard let result = await publish([(channel, payload)]).first else { throw .protocolViolation }
        return try result.get()
    }

    /// Publishes messages in order with one write. They are accepted or refused (``RedisError/overloaded``,
    /// ``RedisError/notConnected``) as a whole; each has its own result, in order.
    public func publish(_ messages: [(channel: String, payload: [UInt8])]) async -> [Result<Int, RedisError>] {
        if messages.isEmpty { return [] }
        return await replies(to: Self.publishing(messages), count: messages.count).map(Self.receivers)
    }

    /// As ``publish(_:)-([(channel:String,payload:[UInt8])])``, without waiting. Calls are carried out in
    /// their order.
    ///
    /// - Parameter completion: called once, on any thread, with the results. Must not block.
    public func publish(
        _ messages: [(channel: String, payload: [UInt8])],
        completion: @escaping @Sendable ([Result<Int, RedisError>]) -> Void
    ) {
        if messages.isEmpty { return completion([]) }
        let batch = batch(Self.publishing(messages), count: messages.count)
        batch.whenComplete { completion($0.map(Self.receivers)) }
        do { try inbox.submit(batch) } catch { batch.fail(error) }
    }

    private static func publishing(_ messages: [(channel: String, payload: [UInt8])]) -> ByteBuffer {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            messages.reduce(0) { size, message in size + message.channel.utf8.count + message.payload.count + 48 })
        for message in messages { bytes.appendRedisPublish(message.payload, to: message.channel) }
        return ByteBuffer(bytes: bytes)
    }

    private static func receivers(_ reply: CommandBatch.Reply) -> Result<Int, RedisError> {
        reply.flatMap { value in
            value.integer.map { .success(Int($0)) } ?? .failure(.protocolViolation)
        }
    }

    private func batch(_ bytes: ByteBuffer, count: Int) -> CommandBatch {
        CommandBatch(bytes, count: count, deadline: .now() + TimeAmount(configuration.commandTimeout))
    }

    private func replies(to bytes: ByteBuffer, count: Int) async -> [CommandBatch.Reply] {
        if Task.isCancelled {
            return Array(repeating: .failure(.cancelled), count: count)
        }
        let batch = batch(bytes, count: count)
        do {
            try inbox.submit(batch)
        } catch {
            return Array(repeating: .failure(error), count: count)
        }
        return await batch.replies()
    }
}
