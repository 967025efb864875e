import ChatTestSupport
import CommonUtil
import NIOPosix
import NIOSSL
import S3Client
import Testing

@testable import ChatFileStore

@Suite(.timeLimit(.minutes(1))) struct ConfiguredFileStoreTests {
    private func configured(_ environment: [String: String]) async throws -> ConfiguredFileStore? {
        try ConfiguredFileStore(
            try await ConfigurationSource(arguments: ["test"], environment: environment),
            tls: .makeClientConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
    }

    @Test func `without a setting the store is a folder beside the other data`() async throws {
        let store = try #require(try await configured(["CHAT_DATA_DIR": "/data"]))
        #expect(store.store is FolderFileStore && store.place == "/data/files" && store.client == nil)
        let other = try #require(try await configured(["CHAT_FILE_STORE": "folder:/files"]))
        #expect(other.place == "/files")
        #expect(try await configured(["CHAT_FILE_STORE": "none"]) == nil)
    }

    @Test func `the place of a bucket is shown without credentials`() async throws {
        let store = try #require(
            try await configured([
                "CHAT_FILE_STORE": "s3:https://s3.example.org/bucket", "CHAT_S3_ACCESS_KEY": "the-access",
                "CHAT_S3_SECRET_KEY": "the-secret",
            ]))
        #expect(store.store is S3FileStore && store.place == "https://s3.example.org/bucket?region=us-east-1")
        await store.client?.shutdown()
        await #expect(throws: ConfigurationError.self) {
            _ = try await configured(["CHAT_FILE_STORE": "s3:https://s3.example.org/bucket"])
        }
    }

    @Test func `a marker tells whose a store is`() async throws {
        let store = MemoryFileStore()
        #expect(try await store.ownership(by: "me", hasFiles: false) == .unclaimed)
        #expect(try await store.ownership(by: "me", hasFiles: true) != .own)
        store.set("a", size: 1)
        guard case .foreign = try await store.ownership(by: "me", hasFiles: false) else {
            Issue.record("a store with files and without a marker is not foreign")
            return
        }
        // It has only looked.
        #expect(try await store.installation() == nil && store.keys == ["a"])
        try await store.claim("me")
        #expect(try await store.ownership(by: "me", hasFiles: true) == .own)
        #expect(try await store.ownership(by: "you", hasFiles: true) != .own)
    }
}
