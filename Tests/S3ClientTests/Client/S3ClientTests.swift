import ChatTestSupport
import CommonUtil
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

@testable import S3Client

/// Against a real implementation of the protocol, which checks every signature.
@Suite(.enabled(if: LocalS3.isAvailable, "python3 is not installed"), .timeLimit(.minutes(2)))
struct S3ClientTests {
    private func withClient(
        _ store: LocalS3? = nil, url: String? = nil, secretKey: String? = nil, trustFile: String? = nil,
        _ body: (S3Client) async throws -> Void
    ) async throws {
        let shared = try await LocalS3.server()
        let store = store ?? shared
        var configuration = try S3Configuration(
            url: url ?? store.url, accessKey: store.accessKey, secretKey: secretKey ?? store.secretKey)
        configuration.attempts = 2
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.additionalTrustRoots = trustFile.map { [.file($0)] } ?? []
        let client = S3Client(configuration, tls: tls, eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        do {
            try await body(client)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }

    private func collected(_ bytes: S3ObjectBytes) async throws -> [UInt8] {
        try await bytes.reduce(into: []) { $0 += $1.readableBytesView }
    }

    @Test func `what was stored is read, whole and in part`() async throws {
        let file = try TemporaryFile(size: 300_000)
        let bytes = try file.bytes
        let key = Unique.name("files/a b+ü")
        try await withClient { client in
            try await client.put(key, fileAt: file.path, size: file.size)
            #expect(try await client.size(of: key) == 300_000)
            #expect(try await collected(client.bytes(of: key, in: 0..<300_000)) == bytes)
            #expect(try await collected(client.bytes(of: key, in: 70_000..<200_001)) == Array(bytes[70_000..<200_001]))
            #expect(try await collected(client.bytes(of: key, in: 299_999..<300_000)) == [bytes[299_999]])
            #expect(try await client.contents(of: key, upTo: 300_000) == bytes)
            await #expect(throws: S3Error.unavailable("the object is too long")) {
                try await client.contents(of: key, upTo: 299_999)
            }
        }
    }

    @Test func `an object that is not there is not found, and its removal is no error`() async throws {
        try await withClient { client in
            await #expect(throws: S3Error.notFound) { try await client.bytes(of: "nothing", in: 0..<1) }
            #expect(try await client.size(of: "nothing") == nil)
            #expect(try await client.contents(of: "nothing", upTo: 10) == nil)
            try await client.remove("nothing")
        }
    }

    @Test func `a range beyond the end is refused`() async throws {
        let key = Unique.name("range")
        try await withClient { client in
            try await client.putIfAbsent(key, [1, 2, 3])
            await #expect(throws: S3Error.self) { try await client.bytes(of: key, in: 3..<5) }
            await #expect(throws: S3Error.self) { try await client.bytes(of: key, in: 1..<5) }
        }
    }

    @Test func `what is there already is not replaced`() async throws {
        let key = Unique.name("marker")
        try await withClient { client in
            try await client.putIfAbsent(key, [1])
            await #expect(throws: S3Error.exists) { try await client.putIfAbsent(key, [2]) }
            #expect(try await client.contents(of: key, upTo: 10) == [1])
        }
    }

    @Test func `objects are listed in order, from any of them on`() async throws {
        let prefix = Unique.name("list") + "/"
        try await withClient { client in
            for name in ["c", "a", "b"] { try await client.putIfAbsent(prefix + name, Array(name.utf8)) }
            let page = try await client.list(prefix: prefix)
            #expect(page.objects.map(\.key) == ["a", "b", "c"].map { prefix + $0 })
            #expect(page.objects.map(\.size) == [1, 1, 1])
            #expect(!page.isTruncated)
            #expect(abs((page.objects.first?.modifiedAt.seconds ?? 0) - Timestamp.now.seconds) < 600)
            #expect(
                try await client.list(prefix: prefix, after: prefix + "a").objects.map(\.key) == [
                    prefix + "b", prefix + "c",
                ])
            try await client.remove(prefix + "b")
            #expect(try await client.list(prefix: prefix).objects.count == 2)
        }
    }

    @Test func `a large file is stored in parts`() async throws {
        let file = try TemporaryFile(size: 17 << 20)
        let key = Unique.name("large")
        try await withClient { client in
            try await client.put(key, fileAt: file.path, size: file.size)
            let stored = try await collected(client.bytes(of: key, in: 0..<file.size))
            #expect(try stored == file.bytes)
        }
    }

    @Test func `uploads that were not completed are thrown away, but for young ones`() async throws {
        let key = Unique.name("broken")
        try await withClient { client in
            // Two of them, as a server that was killed leaves them.
            for _ in 1...2 {
                try await client.perform(S3Request(method: .POST, key: key, query: [("uploads", "")])) { _ in }
            }
            #expect(try await client.uploads(prefix: key).uploads.count == 2)
            try await client.abortUploads(prefix: key, startedBefore: Timestamp(microseconds: 0))
            #expect(try await client.uploads(prefix: key).uploads.count == 2)
            try await client.abortUploads(
                prefix: key, startedBefore: Timestamp(microseconds: Timestamp.now.microseconds + 86_400_000_000))
            #expect(try await client.uploads(prefix: key).uploads.count == 0)
        }
    }

    // MARK: Refusals

    @Test func `a wrong secret is refused`() async throws {
        try await withClient(secretKey: "wrong") { client in
            await #expect(throws: S3Error.refused(status: 403, code: "SignatureDoesNotMatch")) {
                try await client.list(prefix: "a")
            }
        }
    }

    @Test func `a bucket that is not there is no missing object`() async throws {
        let store = try await LocalS3.server()
        try await withClient(url: "\(store.endpoint)/no-such-bucket") { client in
            await #expect(throws: S3Error.refused(status: 404, code: "NoSuchBucket")) {
                try await client.bytes(of: "a", in: 0..<1)
            }
        }
    }

    @Test func `talks TLS to a server it trusts, and to no other`() async throws {
        let authority = try TestAuthority()
        let store = try await LocalS3.started(certificate: try authority.issue())
        try await withClient(store, trustFile: authority.file) { client in
            try await client.putIfAbsent("a", [1])
            #expect(try await client.contents(of: "a", upTo: 10) == [1])
        }
        try await withClient(store) { client in
            await #expect(throws: S3Error.unavailable("no valid TLS")) { try await client.list(prefix: "a") }
        }
    }
}
