import ChatTestSupport
import CommonUtil
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

@testable import ChatFileStore
@testable import S3Client

@Suite(.enabled(if: LocalS3.isAvailable, "python3 is not installed"), .timeLimit(.minutes(2)))
struct S3FileStoreTests {
    /// Runs `body` with a store in a bucket of its own.
    private func withStore(_ body: (S3FileStore, S3Client) async throws -> Void) async throws {
        let server = try await LocalS3.server()
        var configuration = try S3Configuration(
            url: "\(server.endpoint)/\(Unique.name("bucket"))", accessKey: server.accessKey,
            secretKey: server.secretKey)
        configuration.attempts = 2
        let client = S3Client(
            configuration, tls: .makeClientConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        do {
            try await client.perform(S3Request(method: .PUT)) { _ in }
            try await body(S3FileStore(client), client)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }

    private func withFile(_ bytes: [UInt8], _ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try Data(bytes).write(to: URL(filePath: path))
        defer { unlink(path) }
        try await body(path)
    }

    @Test func `keeps files, and names them in order`() async throws {
        try await withStore { store, client in
            try await withFile(Array(0..<200)) { path in
                for key in ["b2", "a1", "c3"] { try await store.put(key, from: path, size: 200) }
                // Once more, as after an answer that was lost.
                try await store.put("a1", from: path, size: 200)
            }
            // What is no file of this server's, and the marker.
            try await client.putIfAbsent("files/Other.txt", [1])
            try await store.claim("here")
            let files = try await store.list(after: nil)
            #expect(files.map(\.key) == ["a1", "b2", "c3"])
            #expect(files.allSatisfy { $0.size == 200 && abs($0.modifiedAt.seconds - Timestamp.now.seconds) < 600 })
            #expect(try await store.list(after: "a1").map(\.key) == ["b2", "c3"])
            #expect(try await store.list(after: "c3").isEmpty)

            var bytes: [UInt8] = []
            for try await buffer in try await store.read("b2", range: 10..<100) { bytes += buffer.readableBytesView }
            #expect(bytes == Array(10..<100))

            #expect(try await store.size(of: "b2") == 200)
            try await store.remove("b2")
            try await store.remove("b2")
            #expect(try await store.size(of: "b2") == nil)
            await #expect(throws: FileStoreError.notFound) { try await store.read("b2", range: 0..<1) }
        }
    }

    @Test func `a marker that is there stays`() async throws {
        try await withStore { store, _ in
            #expect(try await store.installation() == nil)
            try await store.claim("first")
            try await store.claim("second")
            #expect(try await store.installation() == "first")
        }
    }

    @Test func `leftovers of uploads go, what can be under way stays`() async throws {
        try await withStore { store, client in
            let key = "files/\(Unique.name().filter { $0 != "-" })"
            try await client.perform(S3Request(method: .POST, key: key, query: [("uploads", "")])) { _ in }
            // moto says of every upload that it began in 2010.
            try await store.abortUnfinished(olderThan: .seconds(50 * 365 * 86_400))
            #expect(try await client.uploads(prefix: key).uploads.count == 1)
            try await store.abortUnfinished(olderThan: .seconds(3_600))
            #expect(try await client.uploads(prefix: key).uploads.isEmpty)
        }
    }

    @Test func `a store whose bucket is gone is away, and says why`() async throws {
        let server = try await LocalS3.server()
        let client = S3Client(
            try S3Configuration(
                url: "\(server.endpoint)/no-such-bucket", accessKey: server.accessKey, secretKey: server.secretKey),
            tls: .makeClientConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        let store = S3FileStore(client)
        await #expect(throws: FileStoreError.away("refused with 404 NoSuchBucket")) { try await store.installation() }
        await #expect(throws: FileStoreError.away("refused with 404 NoSuchBucket")) { try await store.list(after: nil) }
        await client.shutdown()
    }
}

@Suite(.timeLimit(.minutes(1))) struct S3SettingsTests {
    private static let url = "https://s3.example.org/chat-files?region=eu-central-1"

    private func configuration(_ environment: [String: String], url: String = url) async throws -> S3Configuration {
        try S3Configuration.chat(try await ConfigurationSource(arguments: ["test"], environment: environment), url: url)
    }

    @Test func `the credentials are settings`() async throws {
        let configuration = try await configuration(["CHAT_S3_ACCESS_KEY": "a", "CHAT_S3_SECRET_KEY": "b"])
        #expect("\(configuration)" == Self.url)
    }

    @Test(arguments: [
        ["CHAT_S3_ACCESS_KEY": "the-access"], ["CHAT_S3_SECRET_KEY": "the-secret"],
        ["CHAT_S3_ACCESS_KEY": "a", "CHAT_S3_SECRET_KEY": "the secret"],
        ["CHAT_S3_ACCESS_KEY": "a", "CHAT_S3_SECRET_KEY": "b", "CHAT_S3_SESSION_TOKEN": "the\ttoken"],
    ])
    func `credentials that are missing or cannot be sent stop the server, and are not shown`(
        environment: [String: String]
    ) async throws {
        let error = await #expect(throws: ConfigurationError.self) { try await configuration(environment) }
        #expect(error?.description.contains("CHAT_S3_") == true)
        #expect(error?.description.contains("the-") == false)
        #expect(error?.description.contains("the\ttoken") == false)
    }

    @Test func `plain http to another machine stops the server`() async throws {
        let error = await #expect(throws: ConfigurationError.self) {
            try await configuration(
                ["CHAT_S3_ACCESS_KEY": "a", "CHAT_S3_SECRET_KEY": "b"], url: "http://u:password@10.0.0.1/chat-files")
        }
        #expect(error?.description == "CHAT_FILE_STORE: invalid configuration: http is for loopback addresses only")
    }
}
