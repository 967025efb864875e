import ChatEventBus
import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import NIOCore
import PostgresClient
import RedisClient

/// Builds the system server; tests call it as well.
/// - Throws: `ConfigurationError` for a wrong value of a setting.
func buildSystemServer(_ environment: ServerEnvironment) async throws -> ServerDependencies {
    let configuration = environment.configuration
    let logger = environment.logger
    let settings = try SystemSettings(configuration)
    let rates = try AccountRates(configuration)
    let changeRate = try configuration.value(Settings.limitChanges)
    let readLimit = ReadLimit(
        rate: try configuration.value(Settings.limitReads), trustedProxies: environment.trustedProxies)
    let postgres = try PostgresClient.chat(configuration, name: environment.name, logger: logger)
    let redisConfiguration = try RedisConfiguration.chat(configuration, name: environment.name)
    let redis = RedisClient(
        configuration: redisConfiguration,
        eventLoop: environment.eventLoopGroup.next(), logger: logger)
    let sharedLimits = SharedLimits(redis: redis, eventLoop: environment.eventLoopGroup.next(), logger: logger)
    let limits = AccountLimits(rates, shared: sharedLimits, trustedProxies: environment.trustedProxies)
    let changeLimits = ChangeLimits(rate: changeRate, shared: sharedLimits)
    let signer = try await TokenSigner(
        keyFile: settings.signingKeyFile, lifetimeSeconds: settings.accessTokenSeconds, logger: logger)
    let database = ChatDatabase(postgres)
    let revocations = RevocationList()
    let signIns = SignInRepository(database)
    let revocationFeed = RevocationFeed(
        list: revocations, configuration: redisConfiguration, redis: redis,
        eventLoop: environment.eventLoopGroup.next(), logger: logger, read: signIns.revocations)
    let tokens = TokenVerifier(keys: signer.keySource, revocations: revocations)
    let passwords = PasswordHasher(cost: settings.passwordCost, onHash: PasswordMetrics().note)
    let publisher = EventPublisher(redis: redis, logger: logger)
    let receipts = ReadReceiptPublisher(publisher)

    let users = UserRepository(database)
    let issuers = try IssuerDirectory(
        file: settings.issuersFile, trustFile: environment.trustFile, logger: logger)
    let refreshTokens = RefreshTokenRepository(database)
    let guests = GuestRepository(database)
    let signInService = SignInService(signIns: signIns, feed: revocationFeed, logger: logger)
    let accounts = AccountService(
        users: users, loginAddresses: LoginAddressRepository(database), refreshTokens: refreshTokens,
        passwords: passwords, signer: signer, refreshTokenSeconds: settings.refreshTokenSeconds,
        signIns: signInService, guests: guests,
        isIssuerAccepted: { issuers.contains($0) })
    let names = NameIndexer(database, logger: logger)
    let roomRepository = RoomRepository(database, limits: settings.roomLimits)
    let rooms = RoomService(
        rooms: roomRepository, users: users, guests: guests,
        readMarks: ReadMarks(rooms: roomRepository, authMode: environment.authMode), publisher: publisher,
        receipts: receipts, authMode: environment.authMode)

    let directory = UserResolver(database, authMode: environment.authMode)
    let serverKeys = ServerKeyList(logger: logger, read: ServerKeyRepository(database).entries)
    var routes = Routes(
        authenticator: Authenticator(
            mode: environment.authMode, verifier: tokens,
            keys: KeyAuthenticator(keys: serverKeys, findUser: directory.actingUser)),
        readLimit: readLimit)
    let members = MemberService(rooms: rooms)
    let managedUsers = ManagedUserService(
        users: ManagedUserRepository(database), directory: directory, refreshTokens: refreshTokens, signer: signer,
        signIns: signInService, members: members)
    AccountRoutes.add(to: &routes, accounts, limits, registration: settings.registration)
    SessionRoutes(
        accounts: accounts, managed: managedUsers, limits: limits, guests: settings.guests,
        exchange: ExchangeService(issuers: issuers, users: IssuedUserRepository(database), accounts: accounts)
    ).add(to: &routes)
    UserRoutes(
        accounts: accounts, directory: directory, externalIDs: settings.externalIDs, limits: changeLimits
    ).add(to: &routes)
    RoomRoutes.add(to: &routes, rooms, members, directory, changeLimits)
    ManagedUserRoutes.add(to: &routes, managedUsers)
    ManagedRoomRoutes.add(to: &routes, ManagedRoomService(rooms: rooms), directory)
    ImportRoutes.add(
        to: &routes,
        ImportService(
            imports: ImportRepository(
                database, authMode: environment.authMode, limits: settings.roomLimits),
            keys: serverKeys, signIns: signInService, publisher: publisher))
    KeyRoutes.add(
        to: &routes,
        KeyService(keys: ServerKeyRepository(database), known: serverKeys, logger: logger))
    routes.describe(APIDescription(yaml: PackageResources.openapi_yaml))
    let publicServers = try PublicServers(configuration, authMode: environment.authMode)
    let webClient = WebClient(publicServers)
    let clientLibrary = ClientLibrary(publicServers)
    routes.fallback { request, _ in
        guard let response = webClient.response(to: request) ?? clientLibrary.response(to: request) else {
            throw ChatError(.notFound)
        }
        return response
    }
    let health = HealthRegistry()
    health.register(postgres)
    health.register(redis, refusal: { publisher.refusal })
    health.register(tokens)
    if settings.issuersFile != nil {
        health.register("issuers", severity: .degraded) { issuers.problem == nil ? .ok : .failing("the file is wrong") }
    }
    return ServerDependencies(
        routes: routes, health: health,
        services: [
            postgres, redis, publisher, receipts, passwords, signer, revocationFeed, names, serverKeys, issuers,
            PopulationMetrics(database, logger: logger),
            GuestExpiry(guests: guests, users: managedUsers, logger: logger),
        ],
        beforeServing: [
            { try await ChatSchema.migrateWhenReachable(postgres, logger: logger) },
            { names.begin() },
            { try await revocationFeed.load() },
        ])
}

/// The settings that only this server has.
private struct SystemSettings {
    let signingKeyFile: String
    let accessTokenSeconds: Int
    let refreshTokenSeconds: Int
    let passwordCost: Int
    let issuersFile: String?
    let registration: Registration
    let guests: GuestAccess
    let externalIDs: ExternalIDVisibility
    let roomLimits: RoomLimits

    init(_ configuration: ConfigurationSource) throws(ConfigurationError) {
        let dataDirectory = try configuration.value(Settings.dataDirectory)
        signingKeyFile = try configuration.value(Settings.signingKeyFile(dataDirectory: dataDirectory))
        accessTokenSeconds = try configuration.value(Settings.accessTokenSeconds)
        refreshTokenSeconds = try configuration.value(Settings.refreshTokenSeconds)
        passwordCost = try configuration.value(Settings.passwordCost)
        issuersFile = try configuration.value(Settings.issuersFile)
        registration = try configuration.value(Settings.registration)
        guests = try configuration.value(Settings.guests)
        externalIDs = try configuration.value(Settings.externalIDs)
        roomLimits = RoomLimits(
            roomsPerUser: try configuration.value(Settings.limitRoomsPerUser),
            membersPerRoom: try configuration.value(Settings.limitMembersPerRoom))
    }
}
