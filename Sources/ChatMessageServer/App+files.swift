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

    init(
        _ environment: ServerEnvironment, database: ChatDatabase, rooms: RoomRepository, shared: SharedLimits
    ) throws(ConfigurationError) {
        let configuration = environment.configuration
        let logger = environment.logger
        let location = try configuration.value(Settings.fileStore)
        let folder = try configuration.value(Settings.dataDirectory)
        let quota = try configuration.value(Settings.fileQuotaBytes)
        let spoolBytes = try configuration.value(Settings.fileSpoolBytes)
        // A file that never fits into the spool is too large, and not to be sent again.
        let rules = UploadRules(maximumBytes: min(try configuration.value(Settings.fileMaxBytes), spoolBytes))
        let unusedSeconds = try configuration.value(Settings.fileUnusedSeconds)
        let rate = try configuration.value(Settings.limitFiles)

        // A store that hangs does not keep uploads from the spool.
        let (disk, storeDisk) = (Disk(), Disk())
        let store: any FileStore
        switch location ?? .folder(folder + "/files") {
        case .none: return
        case .folder(let path): store = FolderFileStore(path, disk: storeDisk)
        case .s3(let url):
            let client = S3Client(
                try .chat(configuration, url: url), tls: .client(trustFile: environment.trustFile),
                eventLoopGroup: environment.eventLoopGroup)
            store = S3FileStore(client)
            services = [client]
        }
        let files = FileRepository(database)
        let storage = FileStorage(store, logger: logger, installation: files.installation)
        let urls = FileURLs(read: FileSecrets(database).current)
        let spool = UploadSpool(folder + "/uploads", capacity: spoolBytes, disk: disk)
        let cleaner = FileCleaner(
            storage, urls: urls, spool: spool, removal: FileRemoval(database), unusedSeconds: unusedSeconds,
            logger: logger)
        parts = FileParts(
            uploads: UploadService(
                storage: storage, spool: spool, uploads: FileUploads(database), files: files, rooms: rooms,
                rules: rules, quota: quota, limit: RateLimiter<UserID>(.files, rate: rate, shared: shared),
                authMode: environment.authMode, logger: logger),
            service: FileService(storage: storage, files: files, urls: urls, logger: logger))
        services.append(cleaner)
        self.storage = storage
        beforeServing = [
            {
                await cleaner.prepare()
                guard location != nil, case .foreign(let reason) = storage.state else { return }
                throw ConfigurationError("\(Settings.fileStore.name) is not the store of this installation: \(reason)")
            },
            { cleaner.begin() },
        ]
    }

    /// Adds the readiness check of the store.
    func register(in health: HealthRegistry) {
        guard let storage else { return }
        health.register("files", severity: .degraded) {
            switch storage.state {
            // Not asked yet: the server is starting.
            case .unasked: .ok
            case .own: storage.responds ? .ok : .failing("the store does not respond")
            case .foreign: .failing("the store is not this installation's")
            case .unknown: .failing("the store does not respond")
            }
        }
    }
}
