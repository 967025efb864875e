import ChatFileStore
import ChatStorage
import ChatTestSupport
import CommonServer
import CommonUtil
import Foundation
import NIOCore
import PostgresClient
import Synchronization
import Testing

@testable import ChatMessageServer

/// What uploads leave that the store did not take, or took too late.
@Suite(.timeLimit(.minutes(1))) struct UploadLeftoverTests {
    /// A service and a cleaner on one store and a database of their own.
    private struct Parts {
        let service: UploadService
        let storage: FileStorage
        let cleaner: FileCleaner
        let spool: UploadSpool
        let client: PostgresClient

        static func with(_ store: any FileStore, quota: Int = 0, _ body: (Parts) async throws -> Void) async throws {
            try await ChangeFixture.run { fixture in
                try await fixture.makeRoom("hall")
                let root = FileManager.default.temporaryDirectory.appending(path: Unique.name("spool")).path
                defer { try? FileManager.default.removeItem(atPath: root) }
                let database = ChatDatabase(fixture.client)
                let spool = UploadSpool(root, capacity: 1_000_000, disk: Disk())
                try await spool.prepare()
                let files = FileRepository(database)
                let storage = FileStorage(store, logger: ChangeFixture.quiet, installation: files.installation)
                #expect(await storage.check() == .own)
                let service = UploadService(
                    storage: storage, spool: spool, uploads: FileUploads(database), files: files, rooms: fixture.rooms,
                    rules: UploadRules(maximumBytes: 1_000), quota: quota,
                    limit: RateLimiter<UserID>(.files, rate: Rate(1_000, per: .second)), authMode: .token,
                    metrics: FileMetrics(), logger: ChangeFixture.quiet)
                let cleaner = FileCleaner(
                    storage, urls: FileURLs(read: FileSecrets(database).current), spool: spool,
                    removal: FileRemoval(database), unusedSeconds: 3_600,
                    timing: .init(interval: .milliseconds(20), refresh: .milliseconds(20)), logger: ChangeFixture.quiet)
                try await body(
                    Parts(
                        service: service, storage: storage, cleaner: cleaner, spool: spool, client: fixture.client))
            }
        }

        /// Begins an upload and hands it to the store.
        func keep(_ upload: FileUpload, in store: any FileStore) async throws -> ChatFile {
            #expect(try await service.uploads.begin(upload) == .begun)
            let spooled = try await spool.begin(size: 5)
            try await spooled.append(ByteBuffer(string: "Hello"))
            return try await service.keep(
                upload, spooled, UploadedBytes(size: 5, sha256: [1], mimeType: "text/plain", width: nil, height: nil),
                in: store)
        }

        /// The time passes for which the bytes of a lost upload are left alone.
        func waitForGrace() async throws {
            try await client.withConnection { session in
                try await session.execute(
                    script: "UPDATE file_uploads SET held_until = held_until - interval '601 seconds'")
            }
        }

        func rows(_ table: String) async throws -> Int64 {
            let rows = try await client.query(PostgresStatement("SELECT count(*) FROM \(table)"))
            return try #require(rows.first).decode(column: 0)
        }
    }

    private static func upload() -> FileUpload {
        FileUpload(roomID: RoomID(verified: "hall"), uploaderID: ChangeFixture.ann, name: "a", key: "k")
    }

    @Test func `bytes that come to the store after it was given up are removed later`() async throws {
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            // It has the bytes and does not answer in time.
            if case .put = call { throw .away("not answered in time") }
        }
        try await Parts.with(store) { parts in
            let upload = Self.upload()
            await #expect(throws: ChatError.self) { try await parts.keep(upload, in: store) }
            #expect(store.calls.contains(.remove(upload.fileID.rawValue)))
            // Behind the removal it carries the request out.
            store.set(upload.fileID.rawValue, size: 5)
            #expect(try await parts.cleaner.clean() == 0)
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 1)
            #expect(store.keys.isEmpty)
            #expect(try await parts.rows("file_uploads") == 0)
            #expect(try await parts.rows("files") == 0)
        }
    }

    @Test func `the key of an upload that failed is free at once, and what is stored under it stays`() async throws {
        let isAway = Mutex(true)
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            if case .put = call, isAway.withLock({ $0 }) { throw .full }
        }
        try await Parts.with(store) { parts in
            await #expect(throws: ChatError.self) { try await parts.keep(Self.upload(), in: store) }
            isAway.withLock { $0 = false }
            let file = try await parts.keep(Self.upload(), in: store)
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 1)
            #expect(store.keys == [file.fileID.rawValue])
            #expect(try await parts.rows("file_uploads") == 0)
            #expect(try await parts.rows("files") == 1)
        }
    }

    @Test func `a store that cannot remove keeps no key, and is asked again`() async throws {
        let isAway = Mutex(true)
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            if call != .marker, isAway.withLock({ $0 }), case .remove = call { throw .away("away") }
        }
        try await Parts.with(store, quota: 4) { parts in
            let upload = Self.upload()
            await #expect(throws: ChatError(.fileQuota)) { try await parts.keep(upload, in: store) }
            #expect(store.keys == [upload.fileID.rawValue])
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 0)
            isAway.withLock { $0 = false }
            try await parts.waitForGrace()
            #expect(try await parts.cleaner.clean() == 1)
            #expect(store.keys.isEmpty)
            #expect(try await parts.rows("file_uploads") == 0)
        }
    }

    @Test func `a store that hangs while it removes a file is still asked whether it responds`() async throws {
        let (hanging, hangs) = AsyncStream<Void>.makeStream()
        let isAway = Mutex(false)
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            if case .remove = call {
                isAway.withLock { $0 = true }
                hangs.yield()
                // As long as the cleaner runs.
                try? await Task.sleep(for: .seconds(3_600))
            }
            if isAway.withLock({ $0 }) { throw .away("away") }
        }
        try await Parts.with(store) { parts in
            let upload = Self.upload()
            #expect(try await parts.service.uploads.begin(upload) == .begun)
            try await parts.service.uploads.abandon(upload)
            try await parts.waitForGrace()
            parts.cleaner.begin()
            let running = Task { try await parts.cleaner.run() }
            #expect(await hanging.first { true } != nil)
            // No event reports this.
            while parts.storage.responds { try await Task.sleep(for: .milliseconds(5)) }
            running.cancel()
            try await running.value
        }
    }
}
