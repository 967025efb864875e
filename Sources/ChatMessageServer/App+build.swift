import ChatEventBus
import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import NIOCore
import PostgresClient
import RedisClient
import ServiceLifecycle

/// Builds the message server; tests call it as well.
/// - Throws: `ConfigurationError` for a wrong value of a setting.
func buildMessageServer(_ environment: ServerEnvironment) async throws -> ServerDependencies {
    let configuration = environment.configuration
    let logger = environment.logger
    let postRate = try configuration.value(Settings.limitPosts)
    let readLimit = ReadLimit(
        rate: try configuration.value(Settings.limitReads), trustedProxies: environment.trustedProxies)
    let postgres = try PostgresClient.chat(configuration, name: environment.name, logger: logger)
    let redisConfiguration = try RedisConfiguration.chat(configuration, name: environment.name)
    let redis = RedisClient(
        configuration: redisConfiguration,
        eventLoop: environment.eventLoopGroup.next(), logger: logger)
    let sharedLimits = SharedLimits(redis: redis, eventLoop: environment.eventLoopGroup.next(), logger: logger)
    let posts = RateLimiter<UserID>(.posts, rate: postRate, shared: sharedLimits)
    let keys = RemoteKeys(
        url: try configuration.value(Settings.jwksURL), trustFile: environment.trustFile, logger: logger)
    let database = ChatDatabase(postgres)
    let revocations = RevocationList()
    let revocationFeed = RevocationFeed(
        list: revocations, configuration: redisConfiguration, redis: redis,
        eventLoop: environment.eventLoopGroup.next(), logger: logger, read: SignInRepository(database).revocations)
    let tokens = TokenVerifier(keys: keys, revocations: revocations)

    let publisher = EventPublisher(redis: redis, logger: logger)
    let diskShare = DiskShare()
    let writer = MessageWriter(
        client: postgres, isOpen: environment.authMode == .trusted, logger: logger,
        onCommit: {
            publisher.publish($0)
            diskShare.committed()
        })
    let rooms = RoomRepository(database)
    let users = UserResolver(database, authMode: environment.authMode)
    let hook = try HookParts(environment, database: database)
    let messages = MessageService(
        writer: writer, messages: MessageRepository(database), log: EventLog(database), rooms: rooms,
        files: FileRepository(database), users: users, publisher: publisher, authMode: environment.authMode,
        hook: hook?.hook)

    let isTokenMode = environment.authMode == .token
    let serverKeys = ServerKeyList(logger: logger, read: ServerKeyRepository(database).entries)
    let authenticator = Authenticator(
        mode: environment.authMode, verifier: isTokenMode ? tokens : nil,
        keys: KeyAuthenticator(keys: serverKeys, findUser: users.actingUser))
    var routes = Routes(authenticator: authenticator, readLimit: readLimit)
    MessageRoutes.add(to: &routes, messages, limit: posts)
    let files = try FileSetup(environment, database: database, rooms: rooms, shared: sharedLimits, diskShare: diskShare)
    FileRoutes.add(to: &routes, files.parts, authenticator: authenticator)
    let changes = try ChangeParts(environment, database: database, redis: redisConfiguration)
    ChangeRoutes.add(to: &routes, changes.service, keys: serverKeys)
    WebhookRoutes.add(to: &routes, changes.webhooks)
    routes.describe(APIDescription(yaml: PackageResources.openapi_yaml))

    let health = HealthRegistry()
    health.register(postgres)
    health.register(redis, refusal: { publisher.refusal })
    if isTokenMode { health.register(tokens) }
    files.register(in: health)
    return ServerDependencies(
        routes: routes, health: health,
        services: [postgres, redis, publisher, writer, serverKeys] + changes.services + files.services
            + (hook.map { [$0.http] } ?? [])
            + (isTokenMode ? [keys, revocationFeed] : []),
        beforeServing: [{ try await ChatSchema.migrateWhenReachable(postgres, logger: logger) }]
            + (isTokenMode ? [{ try await revocationFeed.load() }] : [])
            + files.beforeServing + [{ changes.begin() }],
        beforeStopping: [{ await changes.watch.drain() }])
}

/// The parts of the hook that is asked about messages.
private struct HookParts {
    let http: HTTPMessageHook
    let hook: MessageHook

    /// - Returns: `nil` if no hook is set.
    init?(_ environment: ServerEnvironment, database: ChatDatabase) throws(ConfigurationError) {
        guard let settings = try HookSettings(environment.configuration) else { return nil }
        let limits = MessageHook.Limits()
        http = HTTPMessageHook(
            url: settings.url, eventLoopGroup: environment.eventLoopGroup, trustFile: environment.trustFile,
            timeout: limits.time)
        hook = MessageHook(
            caller: http, secret: settings.secret, fails: settings.fails, limits: limits,
            messages: MessageRepository(database), users: UserRepository(database), logger: environment.logger)
    }
}

/// The parts of the feed of changes, with its webhooks.
private struct ChangeParts {
    let sequencer: ChangeSequencer
    let watch: ChangeFeedWaiter
    let service: ChangeService
    let webhooks: WebhookService
    let dispatcher: WebhookDispatcher
    let services: [any Service]

    init(_ environment: ServerEnvironment, database: ChatDatabase, redis: RedisConfiguration) throws(ConfigurationError)
    {
        let sequencer = ChangeSequencer(ChangeSequenceRepository(database), logger: environment.logger)
        let hints = RedisRoomHints(
            configuration: redis, eventLoop: environment.eventLoopGroup.next(), logger: environment.logger,
            onRooms: { sequencer.hint($0) }, onChange: { sequencer.hintsChanged(isHinted: $0) })
        sequencer.use(hints)
        let repository = ChangeRepository(database)
        let watch = ChangeFeedWaiter { try await repository.head() }
        self.sequencer = sequencer
        self.watch = watch
        service = ChangeService(repository: repository, watch: watch)
        let targets = WebhookTargets(
            resolver: SystemResolver(),
            rules: AddressRules(allowed: try environment.configuration.value(Settings.webhookAllow)))
        webhooks = WebhookService(webhooks: WebhookRepository(database), changes: repository, targets: targets)
        let timeout = Duration.seconds(15)
        dispatcher = WebhookDispatcher(
            WebhookDelivery(
                work: WebhookWorkRepository(database), changes: service, targets: targets, timeout: timeout,
                logger: environment.logger,
                makeSender: { [group = environment.eventLoopGroup, trustFile = environment.trustFile] in
                    HTTPWebhookSender(eventLoopGroup: group, trustFile: trustFile, timeout: timeout)
                }),
            logger: environment.logger)
        services = [hints, sequencer, dispatcher]
    }

    /// Starts the work in the background.
    func begin() {
        sequencer.begin()
        dispatcher.begin()
    }
}
