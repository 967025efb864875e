import ChatFileStore
import ChatStorage
import CommonAuth
import CommonServer
import CommonUtil
import Logging
import RedisClient
import S3Client
import ServiceLifecycle

/// The parts of files: routes, services and steps. Empty where there are no files (`CHAT_FILE_STORE` is `none`).
struct FileSetup {
    /// For the routes.
    private(set) var parts: FileParts?
    private(set) var services: [any Service] = []
    /// The steps before the first request, once the database is migrated.
    private(set) var beforeServing: [@Sendable () async throws -> Void] = []
    private var storage: FileStorage?
    private var spool: UploadSpool?

    init(
        _ environment: ServerEnvironment, database: ChatDatabase, rooms: RoomRepository, shared: SharedLimits,
        diskShare: DiskShare
    ) throws(ConfigurationError) {
        let configuration = environment.configuration
        let logger = environment.logger
        let folder = try configuration.value(Settings.dataDirectory)
        let quota = try configuration.value(Settings.fileQuotaBytes)
        let spoolBytes = try configuration.value(Settings.fileSpoolBytes)
        // A file that never fits into the spool is too large, and not to be sent again.
        let rules = UploadRules(maximumBytes: min(try configuration.value(Settings.fileMaxBytes), spoolBytes))
        let unusedSeconds = try configuration.value(Settings.fileUnusedSeconds)
        let rate = try configuration.value(Settings.limitFiles)

        let isStoreSet = try configuration.value(Settings.fileStore) != nil
        let configured = try ConfiguredFileStore(
            configuration, tls: .client(trustFile: environment.trustFile), eventLoopGroup: environment.eventLoopGroup)
        guard let configured else { return }
        if let client = configured.client { services = [client] }
        let metrics = FileMetrics()
        let store = MeteredFileStore(configured.store, metrics: metrics)
        let files = FileRepository(database)
        let storage = FileStorage(store, logger: logger, installation: files.installation)
        let urls = FileURLs(read: FileSecrets(database).current)
        // A thread of its own, so that a store that hangs does not block the spool. Only one thread: uploads share the
        // disk with PostgreSQL, whose commits wait for writes in progress.
        let spool = UploadSpool(folder + "/uploads", capacity: spoolBytes, disk: Disk(threads: 1), share: diskShare) {
            metrics.setSpoolBytes($0)
        }
        let cleaner = FileCleaner(
            storage, urls: urls, spool: spool, removal: FileRemoval(database), unusedSeconds: unusedSeconds,
            metrics: metrics, logger: logger)
        parts = FileParts(
            uploads: UploadService(
                storage: storage, spool: spool, uploads: FileUploads(database), files: files, rooms: rooms,
                rules: rules, quota: quota, limit: RateLimiter<UserID>(.files, rate: rate, shared: shared),
                authMode: environment.authMode, metrics: metrics, logger: logger),
            service: FileService(
                storage: storage, files: files, urls: urls, slots: DownloadSlots(metrics: metrics), logger: logger),
            trustedProxies: environment.trustedProxies)
        services.append(cleaner)
        self.storage = storage
        self.spool = spool
        beforeServing = [
            {
                await cleaner.prepare()
                guard isStoreSet, case .foreign(let reason) = storage.state else { return }
                throw ConfigurationError("\(Settings.fileStore.name) is not the store of this installation: \(reason)")
            },
            { cleaner.begin() },
        ]
    }

    /// Adds the readiness check of the store and the spool.
    func register(in health: HealthRegistry) {
        guard let storage, let spool else { return }
        health.register("files", severity: .degraded) {
            switch storage.state {
            // Not asked yet: the server is starting.
            case .unasked: .ok
            case .own where !storage.responds: .failing("the store does not respond")
            case .own: spool.isPrepared ? .ok : .failing("uploads cannot be written to \(Settings.dataDirectory.name)")
            case .foreign: .failing("the store is not this installation's")
            case .unknown: .failing("the store does not respond")
            }
        }
    }
}
