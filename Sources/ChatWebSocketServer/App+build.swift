import ChatEventBus
import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Logging
import NIOCore
import PostgresClient
import RedisClient

/// Puts the WebSocket server together.
func buildWebSocketServer(_ environment: ServerEnvironment) async throws -> ServerDependencies {
    let configuration = environment.configuration
    let logger = environment.logger
    let settings = try WebSocketSettings(configuration)
    // Once a handshake was read, this alone bounds its response: while the database is away the client gets 1013.
    let postgres = try PostgresClient.chat(
        configuration, name: environment.name, queryTimeout: .seconds(4), logger: logger)
    let redisConfiguration = try RedisConfiguration.chat(configuration, name: environment.name)
    let keys = RemoteKeys(
        url: try configuration.value(Settings.jwksURL), trustFile: environment.trustFile, logger: logger)
    let revocations = RevocationList()
    let tokens = TokenVerifier(keys: keys, revocations: revocations)
    let redis = RedisClient(
        configuration: redisConfiguration, eventLoop: environment.eventLoopGroup.next(), logger: logger)
    let publisher = EventPublisher(redis: redis, logger: logger)
    let receipts = ReadReceiptPublisher(publisher)

    let database = ChatDatabase(postgres)
    let rooms = RoomRepository(database)
    let stored = StoredRooms(
        rooms: rooms, lists: RoomListRepository(database), log: EventLog(database),
        readMarks: ReadMarks(rooms: rooms, authMode: environment.authMode))
    let metrics = DeliveryMetrics()
    let eventLoops = environment.eventLoopGroup.makeIterator().map { $0 }
    let feedLoop = environment.eventLoopGroup.next()
    let sessions = try await ChatRoomSessionManager(
        eventLoops: eventLoops, log: stored, ringBytes: settings.ringBytes, metrics: metrics, logger: logger)
    let (feeds, userSessions, broadcast) = try await feedLoop.submit {
        let typing = TypingRelay(publisher: publisher, eventLoop: feedLoop)
        let feeds = RoomFeeds(
            eventLoop: feedLoop, sessions: sessions, log: stored, typing: typing, metrics: metrics, logger: logger)
        let userSessions = UserSessionService(
            feeds: feeds, sessions: sessions, directory: stored, log: stored, logger: logger)
        return (
            NIOLoopBound(feeds, eventLoop: feedLoop), userSessions,
            WebSocketBroadcastService(
                feeds: feeds, userSessions: userSessions, typing: typing, log: stored, logger: logger)
        )
    }.get()
    // In `trusted` mode, too: signing out everywhere closes the user's sockets in either mode.
    let revocationFeed = RevocationFeed(
        list: revocations, configuration: redisConfiguration, redis: redis,
        eventLoop: environment.eventLoopGroup.next(), logger: logger,
        read: SignInRepository(database).revocations, onNews: { sessions.close(endedBy: $0) })
    let subscriber = RedisMessageSubscriber(
        configuration: redisConfiguration, mode: settings.redisSubscribe, redis: redis, eventLoop: feedLoop,
        broadcast: broadcast, logger: logger)
    let health = HealthRegistry()
    let openSockets = OpenSockets()
    let drain = DrainService(
        sessions: sessions, openSockets: openSockets, longest: .seconds(settings.drainSeconds))
    let services = WebSocketServices(
        admission: AdmissionService(
            authMode: environment.authMode, tokens: tokens, limits: SocketLimits(settings.sockets),
            queue: AdmissionQueue(
                authMode: environment.authMode, directory: stored, feeds: feeds, sessions: sessions)),
        commands: SessionCommands(
            authMode: environment.authMode, tokens: tokens, directory: stored, broadcast: broadcast,
            receipts: receipts),
        sessions: sessions, userSessions: userSessions, metrics: metrics, allowedOrigins: environment.allowedOrigins,
        trustedProxies: environment.trustedProxies, authMode: environment.authMode,
        frameLimit: FrameLimit(rate: settings.frames), openSockets: openSockets,
        isDraining: { health.isDraining }, isServing: { health.isServing }, logger: logger)

    let policy = ChatUpgradePolicy(services: services)
    let deadlines = HandshakeDeadlines(eventLoops: eventLoops)

    var routes = Routes()
    WebSocketRoutes.add(to: &routes, allowedOrigins: environment.allowedOrigins)
    EventStreamRoutes(services: services).add(to: &routes)
    let isTokenMode = environment.authMode == .token
    health.register(postgres)
    health.register(redis, refusal: { publisher.refusal })
    health.register("redis_subscription", severity: .degraded) {
        subscriber.stallReason.map { .failing($0) } ?? .ok
    }
    if isTokenMode { health.register(tokens) }
    return ServerDependencies(
        routes: routes, health: health,
        services: [postgres, redis, receipts, subscriber, broadcast, revocationFeed] + (isTokenMode ? [keys] : []),
        beforeServing: [
            { try await ChatSchema.migrateWhenReachable(postgres, logger: logger) },
            { try await revocationFeed.load() },
        ],
        beforeStopping: [{ await drain.run() }],
        beginConnection: { connection, http in
            try connection.channel.pipeline.syncOperations.addHandler(
                HandshakeHandler(
                    policy: policy, deadlines: deadlines, http: http, logger: logger,
                    descriptor: connection.descriptor))
        },
        shutdownLimit: .seconds(settings.drainSeconds + 10))
}

/// The variables that only this server reads.
private struct WebSocketSettings {
    let drainSeconds: Int
    let frames: Rate
    let ringBytes: Int
    let redisSubscribe: RedisSubscribeMode
    let sockets: SocketLimits.Bounds

    init(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        drainSeconds = try configuration.value(Settings.drainSeconds)
        frames = try configuration.value(Settings.limitFrames)
        ringBytes = try configuration.value(Settings.ringBytes)
        sockets = SocketLimits.Bounds(
            total: try configuration.value(Settings.limitSockets),
            perUser: try configuration.value(Settings.limitSocketsPerUser),
            perAddress: try configuration.value(Settings.limitSocketsPerAddress))
        redisSubscribe = try configuration.value(Settings.redisSubscribe)
    }
}
