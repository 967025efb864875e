import ChatFileStore
import ChatStorage
import ChatTestSupport
import CommonServer
import CommonUtil
import Foundation
import NIOCore
import PostgresClient
import Testing

@testable import ChatMessageServer

/// A service and a cleaner on one store and a database of their own.
struct UploadParts {
    let service: UploadService
    let storage: FileStorage
    let cleaner: FileCleaner
    let spool: UploadSpool
    let client: PostgresClient

    static func with(_ store: any FileStore, quota: Int = 0, _ body: (UploadParts) async throws -> Void) async throws {
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
                UploadParts(
                    service: service, storage: storage, cleaner: cleaner, spool: spool, client: fixture.client))
        }
    }

    /// An upload to the room of ``with(_:quota:_:)``.
    static func upload() -> FileUpload {
        FileUpload(roomID: RoomID(verified: "hall"), uploaderID: ChangeFixture.ann, name: "a", key: "k")
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
        try await execute("UPDATE file_uploads SET held_until = held_until - interval '601 seconds'")
    }

    func execute(_ script: String) async throws {
        try await client.withConnection { session in try await session.execute(script: script) }
    }

    func rows(_ table: String) async throws -> Int64 {
        let rows = try await client.query(PostgresStatement("SELECT count(*) FROM \(table)"))
        return try #require(rows.first).decode(column: 0)
    }
}
