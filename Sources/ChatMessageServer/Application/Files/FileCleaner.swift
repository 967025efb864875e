import ChatFileStore
import ChatStorage
import CommonUtil
import Logging
import ServiceLifecycle

/// Removes files that are not needed any more, and keeps the secrets of URLs and the knowledge of the store fresh. All message
/// servers do so at once; each file is removed by one of them (``FileRemoval``).
final class FileCleaner: Service {
    struct Timing {
        /// Time between two looks for files to remove; after a full page of them the next one follows at once. Between two looks
        /// at what is not in order, too.
        var interval = Duration.seconds(5)
        /// Time between two readings of the secrets and of the store's marker.
        var refresh = Duration.seconds(30)
        /// Time between two looks for what broken uploads have left in the store.
        var leftovers = Duration.seconds(3_600)
        /// The age of that: longer than the longest upload to the store takes.
        var leftoverAge = Duration.seconds(86_400)
    }

    private static let filesAtATime = 100

    private let storage: FileStorage
    private let urls: FileURLs
    private let spool: UploadSpool
    private let removal: FileRemoval
    private let unusedSeconds: Int
    private let timing: Timing
    private let metrics: FileMetrics
    private let logger: Logger
    private let gate = StartGate()

    /// - Parameter unusedSeconds: the time for which a file is kept that no message names.
    init(
        _ storage: FileStorage, urls: FileURLs, spool: UploadSpool, removal: FileRemoval, unusedSeconds: Int,
        timing: Timing = Timing(), metrics: FileMetrics = FileMetrics(), logger: Logger
    ) {
        self.storage = storage
        self.urls = urls
        self.spool = spool
        self.removal = removal
        self.unusedSeconds = unusedSeconds
        self.timing = timing
        self.metrics = metrics
        self.logger = logger
    }

    /// Asks the store whose it is, reads the secrets, and makes the folder of uploads where it is not there. What fails is
    /// tried again later.
    func prepare() async {
        await prepareSpool()
        await refresh()
    }

    private func prepareSpool() async {
        await attempt("the folder of uploads is made later") { try await spool.prepare() }
    }

    private func refresh() async {
        await storage.check()
        await attempt("the secrets of URLs are read later") { try await urls.refresh() }
    }

    /// Starts the work, once the database is migrated.
    func begin() { gate.open() }

    /// Works until graceful shutdown, from ``begin()`` on. A part that hangs holds up no other: while a store does not remove
    /// files it is still asked whether it responds.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            await self.gate.wait()
            await withDiscardingTaskGroup { group in
                group.addTask { await self.keepFresh() }
                group.addTask { await self.keepSpool() }
                group.addTask { await self.keepCleaning() }
            }
        }
    }

    private func keepFresh() async {
        while await pause(storage.state == .own && urls.isReady ? timing.refresh : timing.interval) { await refresh() }
    }

    private func keepSpool() async {
        while await pause(spool.isPrepared ? timing.refresh : timing.interval) { await prepareSpool() }
    }

    private func keepCleaning() async {
        var clearedAt = ContinuousClock.now - timing.leftovers
        repeat {
            // Where files are deleted all the time there is always another one, but not a full page of them.
            await attempt("files are removed later") { while try await clean() >= Self.filesAtATime {} }
            if clearedAt.duration(to: .now) >= timing.leftovers {
                clearedAt = .now
                await attempt("leftovers are removed later") {
                    try await storage.require().abortUnfinished(olderThan: timing.leftoverAge)
                }
            }
        } while await pause(timing.interval)
    }

    /// - Returns: `false` once the task is cancelled.
    private func pause(_ time: Duration) async -> Bool {
        try? await Task.sleep(for: time * Double.random(in: 0.75...1))
        return !Task.isCancelled
    }

    private func attempt(_ otherwise: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            logger.debug("\(otherwise)", metadata: ["reason": "\(RedactedReason.of(error))"])
        }
    }

    /// Removes a page of files.
    /// - Returns: how many were removed.
    func clean() async throws -> Int {
        let store = try storage.require()
        _ = try await removal.deleteUnused(olderThan: unusedSeconds, limit: Self.filesAtATime)
        var count = 0
        // Also those before an error.
        defer { report(removed: count) }
        for fileID in try await removal.take(limit: Self.filesAtATime) where storage.responds {
            guard await remove(fileID, from: store) else { continue }
            try await removal.removed(fileID)
            count += 1
        }
        for fileID in try await removal.takeUploads(limit: Self.filesAtATime) where storage.responds {
            guard await remove(fileID, from: store) else { continue }
            try await removal.uploadRemoved(fileID)
            count += 1
        }
        return count
    }

    private func report(removed count: Int) {
        guard count > 0 else { return }
        metrics.removed(count)
        logger.info("files were removed", metadata: ["count": .stringConvertible(count)])
    }

    /// Removes the bytes of a file.
    /// - Returns: `false` if they cannot be removed: they are taken again later, and keep no other file from being removed.
    private func remove(_ fileID: FileID, from store: any FileStore) async -> Bool {
        do {
            try await store.remove(fileID.rawValue)
            return true
        } catch {
            logger.debug(
                "a file is removed later",
                metadata: ["fileId": "\(fileID)", "reason": "\(RedactedReason.of(error))"])
            return false
        }
    }
}
