import ChatFileStore
import ChatLocalStack
import ChatStorage
import ChatTestSupport
import CommonUtil
import Foundation
import Logging
import NIOPosix
import NIOSSL
import PostgresClient
import S3Client
import Testing

@testable import ChatCommand

/// `chat files check`, with a real database and store.
@Suite(.timeLimit(.minutes(2))) struct FilesCommandTests {
    /// An installation without servers: a database, and a store that is its.
    private struct Place: Sendable {
        let url: String
        let client: PostgresClient
        let folder: String
        let store: any FileStore
        let environment: [String: String]

        let uploads: FileUploads

        func script(_ sql: String) async throws {
            try await client.withConnection { session in try await session.execute(script: sql) }
        }

        /// - Parameter server: of the bucket; `nil` for a store in a folder.
        static func with(_ server: LocalS3? = nil, _ body: (Place) async throws -> Void) async throws {
            let url = try await SharedEngines.database()
            let folder = try PrivateFolder.temporary(prefix: "chat-files-test")
            defer { PrivateFolder.remove(folder) }
            let client = PostgresClient(
                configuration: try PostgresConfiguration(url: url),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            try await whileRunning {
                try await client.run()
            } _: {
                try await ChatSchema.migrate(client)
                var settings = ["CHAT_FILE_STORE": "folder:\(folder)/files"]
                if let server {
                    settings = [
                        "CHAT_FILE_STORE": "s3:\(server.url)", "CHAT_S3_ACCESS_KEY": server.accessKey,
                        "CHAT_S3_SECRET_KEY": server.secretKey,
                    ]
                }
                let configured = try #require(
                    try ConfiguredFileStore(
                        try await ConfigurationSource(arguments: ["test"], environment: settings),
                        tls: .makeClientConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton))
                try await configured.store.claim(try await FileRepository(ChatDatabase(client)).installation().id)
                let place = Place(
                    url: url, client: client, folder: folder, store: configured.store, environment: settings,
                    uploads: FileUploads(ChatDatabase(client)))
                do {
                    try await body(place)
                } catch {
                    await configured.client?.shutdown()
                    throw error
                }
                await configured.client?.shutdown()
            }
        }

        /// Stores a file of three bytes.
        func file(size: Int = 3, thumbnailOf original: FileID? = nil) async throws -> FileID {
            let upload = FileUpload(
                roomID: RoomID(verified: "hall"), uploaderID: UserID(1), name: "a", thumbnailOf: original)
            #expect(try await uploads.begin(upload) == .begun)
            try await put(upload.fileID)
            let bytes = UploadedBytes(size: size, sha256: [1], mimeType: "image/png", width: 1, height: 1)
            guard case .stored(let file) = try await uploads.finish(upload, bytes, quota: 0) else {
                throw LocalStackError("not stored")
            }
            return file.fileID
        }

        /// Puts three bytes into the store.
        func put(_ key: FileID) async throws {
            let source = "\(folder)/\(Unique.name())"
            try Data([1, 2, 3]).write(to: URL(filePath: source))
            try await store.put(key.rawValue, from: source, size: 3)
        }

        func check(_ arguments: String..., environment more: [String: String] = [:]) async throws -> (
            code: ChatProgram.End, lines: [String], complaints: [String]
        ) {
            let program = try ChatProgram(
                ["files", "check"] + arguments, system: "", folder: folder,
                environment: environment.merging(["CHAT_DATABASE_URL": url]) { $1 }.merging(more) { $1 })
            let lines = try await program.lines()
            return (await program.end(), lines, try await program.allComplaints())
        }
    }

    private func kinds(_ lines: [String]) throws -> [String: String] {
        var kinds: [String: String] = [:]
        for line in lines.dropLast() {
            let json = try JSON(parsing: Array(line.utf8))
            kinds[json["fileId"]?.string ?? ""] = json["finding"]?.string
        }
        return kinds
    }

    /// Everything that can be wrong, and what is not; then all of it mended.
    private func findAndDelete(_ place: Place) async throws {
        let good = try await place.file()
        let thumbnail = try await place.file(thumbnailOf: good)
        let clean = try await place.check("--json", "--min-age", "0")
        #expect(clean.code == .code(0) && clean.lines.count == 1, "\(clean)")
        let numbers = try JSON(parsing: Array(clean.lines[0].utf8))
        #expect(numbers["files"] == 2 && numbers["objects"] == 2 && numbers["objectBytes"] == 6)
        #expect(try await place.check().lines.last == "Store and database agree.")

        let kept = try await place.file()
        let lost = try await place.file()
        try await place.store.remove(lost.rawValue)
        let other = try await place.file(size: 4)
        let (unknown, underWay) = (
            FileID.random(),
            FileUpload(
                roomID: RoomID(verified: "hall"), uploaderID: UserID(1), name: "a")
        )
        try await place.put(unknown)
        #expect(try await place.uploads.begin(underWay) == .begun)
        try await place.put(underWay.fileID)
        try await place.script("DELETE FROM files WHERE file_id = '\(good)'")
        // It is not deleted at once: what the database does not know may be an upload of a server that it does not know.
        #expect(try await place.check("--delete-unknown", "--yes").code == .code(1))
        let found = try await place.check("--json", "--min-age", "0")
        let expected = [
            good.rawValue: "unknown", unknown.rawValue: "unknown", lost.rawValue: "missing",
            other.rawValue: "wrong_size",
            thumbnail.rawValue: "orphan",
        ]
        #expect(found.code == .code(1))
        #expect(try kinds(found.lines) == expected)
        let text = try await place.check("--min-age", "0")
        #expect(text.code == .code(1) && text.lines.contains { $0.hasPrefix("\(lost)\tmissing") }, "\(text)")

        let deleted = try await place.check("--json", "--min-age", "0", "--delete-unknown", "--yes")
        #expect(deleted.code == .code(1))
        #expect(try JSON(parsing: Array((deleted.lines.last ?? "").utf8))["deleted"] == 2)
        for key in [good, unknown] { #expect(try await place.store.size(of: key.rawValue) == nil) }
        for key in [thumbnail, other, underWay.fileID, kept] {
            #expect(try await place.store.size(of: key.rawValue) == 3)
        }
        try await place.script(
            "DELETE FROM files WHERE file_id IN ('\(lost)', '\(other)', '\(thumbnail)')")
        let last = try await place.check("--min-age", "0", "--delete-unknown", "--yes")
        #expect(last.code == .code(0) && last.lines.last == "deleted: 2", "\(last)")
        #expect(try await place.check("--min-age", "0").code == .code(0))
    }

    @Test func `what is wrong in a folder is found, and what is unknown is deleted when that is asked for`()
        async throws
    {
        try await Place.with { place in
            // What is not a file of the store's.
            try FileManager.default.createDirectory(
                atPath: "\(place.folder)/files/zz", withIntermediateDirectories: true)
            try Data([1]).write(to: URL(filePath: "\(place.folder)/files/zz/.hidden"))
            try await findAndDelete(place)
            #expect(FileManager.default.fileExists(atPath: "\(place.folder)/files/zz/.hidden"))
        }
    }

    @Test(.enabled(if: LocalS3.isAvailable, "python3 is not installed"))
    func `what is wrong in a bucket is found, and what is unknown is deleted when that is asked for`() async throws {
        // Of its own, since a store has one installation.
        try await Place.with(try await LocalS3.started()) { try await findAndDelete($0) }
    }

    @Test func `with a database that has no file nothing is deleted without asking`() async throws {
        try await Place.with { place in
            #expect(try await place.check("--min-age", "0", "--delete-unknown", "--yes").code == .code(0))
            let file = try await place.file()
            try await place.script("DELETE FROM files")
            let refused = try await place.check("--min-age", "0", "--delete-unknown", "--yes")
            #expect(refused.code == .code(1) && refused.lines.isEmpty && refused.complaints.count == 1, "\(refused)")
            #expect(refused.complaints.first?.contains("CHAT_DATABASE_URL") == true)
            #expect(try await place.store.size(of: file.rawValue) == 3)
        }
    }

    static let hasTerminal: Bool = {
        let terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else { return false }
        close(terminal)
        return true
    }()

    @Test(.enabled(if: !FilesCommandTests.hasTerminal, "it would ask on this terminal"))
    func `without a terminal to ask it refuses before it looks`() async throws {
        try await Place.with { place in
            try await place.put(.random())
            let refused = try await place.check("--min-age", "0", "--delete-unknown")
            #expect(refused.code == .code(64) && refused.lines.isEmpty, "\(refused)")
            #expect(refused.complaints.first?.contains("--yes") == true)
        }
    }

    @Test func `another installation's store, a store that is away and wrong settings have exit codes`() async throws {
        try await Place.with { place in
            _ = try await place.file()
            let foreign = try await place.check(environment: ["CHAT_FILE_STORE": "folder:\(place.folder)/none"])
            #expect(foreign.code == .code(78) && foreign.complaints.contains { $0.contains("no marker") }, "\(foreign)")
            #expect(try await place.check(environment: ["CHAT_FILE_STORE": "none"]).code == .code(78))
            let away = try await place.check(
                environment: [
                    "CHAT_FILE_STORE": "s3:http://127.0.0.1:1/bucket", "CHAT_S3_ACCESS_KEY": "key",
                    "CHAT_S3_SECRET_KEY": "hush",
                ])
            #expect(away.code == .code(69) && !away.complaints.contains { $0.contains("hush") }, "\(away)")
            let noDatabase = try await place.check(
                environment: ["CHAT_DATABASE_URL": "postgres://chat@127.0.0.1:1/chat"])
            #expect(noDatabase.code == .code(69))
            #expect(try await place.check("--yes").code == .code(64))
            #expect(try await place.check("--min-age", "-1").code == .code(64))
        }
    }
}
