import ChatFileStore
import ChatStorage
import ChatTestSupport
import CommonUtil
import Synchronization
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) struct FileCleanerTests {
    private struct Away: Error {}

    /// A cleaner that looks once, or as often as `timing` says.
    private func cleaner(
        _ parts: UploadParts, urls: FileURLs, timing: FileCleaner.Timing = .init(interval: .seconds(3_600))
    ) -> FileCleaner {
        FileCleaner(
            parts.storage, urls: urls, spool: parts.spool, removal: FileRemoval(ChatDatabase(parts.client)),
            unusedSeconds: 3_600, timing: timing, logger: ChangeFixture.quiet)
    }

    private func running(_ cleaner: FileCleaner, _ body: () async throws -> Void) async throws {
        cleaner.begin()
        let running = Task { try await cleaner.run() }
        try await body()
        running.cancel()
        try await running.value
    }

    private static let abandoned = """
        INSERT INTO file_uploads (file_id, uploader_id, request_hash, holder, held_until)
        VALUES (md5(random()::text), 1, '', 1, now() - interval '700 seconds')
        """

    @Test func `where files are deleted all the time the cleaner comes to its other work`() async throws {
        let client = Mutex<UploadParts?>(nil)
        let (aborts, aborted) = AsyncStream<Void>.makeStream()
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            switch call {
            // While one is removed another one is deleted.
            case .remove: try? await client.withLock { $0 }?.execute(Self.abandoned)
            case .abort: aborted.yield()
            default: break
            }
        }
        try await UploadParts.with(store) { parts in
            client.withLock { $0 = parts }
            try await parts.execute(Self.abandoned)
            let urls = FileURLs(read: FileSecrets(ChatDatabase(parts.client)).current)
            try await running(cleaner(parts, urls: urls)) { #expect(await aborts.first { true } != nil) }
            client.withLock { $0 = nil }
        }
    }

    @Test func `secrets that could not be read are read again soon`() async throws {
        try await UploadParts.with(MemoryFileStore()) { parts in
            let secrets = FileSecrets(ChatDatabase(parts.client))
            let isAway = Mutex(true)
            let urls = FileURLs {
                let wasAway = isAway.withLock { isAway in
                    defer { isAway = false }
                    return isAway
                }
                if wasAway { throw Away() }
                return try await secrets.current()
            }
            let timing = FileCleaner.Timing(interval: .milliseconds(10), refresh: .seconds(3_600))
            let cleaner = cleaner(parts, urls: urls, timing: timing)
            await cleaner.prepare()
            #expect(!urls.isReady && parts.storage.state == .own)
            try await running(cleaner) {
                while !urls.isReady { try await Task.sleep(for: .milliseconds(2)) }
            }
        }
    }
}
