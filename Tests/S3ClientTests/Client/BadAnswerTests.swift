import ChatTestSupport
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Testing

@testable import S3Client

/// Stores that are away for a moment, answer wrongly, or not at all.
@Suite(.timeLimit(.minutes(2))) struct BadAnswerTests {
    /// Runs `body` with a client of the store, whose waits are short.
    private func withClient<Result>(
        _ store: ScriptedStore, _ change: (inout S3Configuration) -> Void = { _ in },
        _ body: (S3Client) async throws -> Result
    ) async throws -> Result {
        var configuration = try S3Configuration(url: store.url, accessKey: "the-access", secretKey: "the-secret")
        configuration.minimumBackoff = .milliseconds(1)
        configuration.maximumBackoff = .milliseconds(5)
        change(&configuration)
        let client = S3Client(
            configuration, tls: .makeClientConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        do {
            let result = try await body(client)
            await client.shutdown()
            try await store.close()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }

    private func failure(of body: () async throws -> some Any) async -> S3Error? {
        do {
            _ = try await body()
            return nil
        } catch {
            return error as? S3Error
        }
    }

    private func isUnavailable(_ error: S3Error?) -> Bool { if case .unavailable = error { true } else { false } }

    private static let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"

    // MARK: Attempts

    @Test(arguments: ["500 Oh", "503 Slow Down", "429 Too Many Requests", "504 Gateway Timeout"])
    func `what passes is tried again`(status: String) async throws {
        let store = try await ScriptedStore(
            .whole(status), .cut(""), .cut("HTTP/1.1 200"), .whole("200 OK", Self.empty))
        let page = try await withClient(store) { try await $0.list(prefix: "a") }
        #expect(page.objects.isEmpty)
        #expect(store.requests.count == 4)
    }

    @Test func `it is tried so often and no more`() async throws {
        let store = try await ScriptedStore(.whole("500 Oh", "<Error><Code>InternalError</Code></Error>"))
        let error = try await withClient(store) { client in await failure { try await client.list(prefix: "a") } }
        #expect(error == .unavailable("refused with 500 InternalError"))
        #expect(store.requests.count == 4)
    }

    @Test(arguments: [
        ("403 Forbidden", "AccessDenied", S3Error.refused(status: 403, code: "AccessDenied")),
        ("400 Bad Request", "InvalidBucketName", .refused(status: 400, code: "InvalidBucketName")),
        ("507 Insufficient Storage", "", .full), ("409 Conflict", "QuotaExceeded", .full),
        ("404 Not Found", "NoSuchBucket", .refused(status: 404, code: "NoSuchBucket")),
        ("404 Not Found", "NoSuchKey", .notFound),
        ("301 Moved Permanently", "PermanentRedirect", .refused(status: 301, code: "PermanentRedirect")),
    ])
    func `what does not pass is not`(status: String, code: String, expected: S3Error) async throws {
        let store = try await ScriptedStore(
            .whole(status, "<Error><Code>\(code)</Code></Error>", ["Location: http://127.0.0.1:1/"]))
        let error = try await withClient(store) { client in
            await failure { try await client.bytes(of: "a", in: 0..<1) }
        }
        #expect(error == expected)
        #expect(store.requests.count == 1)
    }

    @Test func `a store that never answers is given up`() async throws {
        let store = try await ScriptedStore(.nothing)
        let error = try await withClient(store) {
            $0.requestTimeout = .milliseconds(50)
            $0.attempts = 2
        } _: { client in
            await failure { try await client.size(of: "a") }
        }
        #expect(error == .unavailable("not answered in time"))
    }

    @Test func `an answer that does not end is given up`() async throws {
        let store = try await ScriptedStore(.bytes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<a>"))
        let error = try await withClient(store) {
            $0.requestTimeout = .milliseconds(50)
            $0.attempts = 2
        } _: { client in
            await failure { try await client.list(prefix: "a") }
        }
        #expect(isUnavailable(error))
    }

    @Test func `a store that cannot be reached is no error of the program's`() async throws {
        let store = try await ScriptedStore(.nothing)
        try await store.close()
        var configuration = try S3Configuration(url: store.url, accessKey: "a", secretKey: "b")
        configuration.minimumBackoff = .milliseconds(1)
        configuration.connectTimeout = .milliseconds(100)
        let client = S3Client(
            configuration, tls: .makeClientConfiguration(), eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        #expect(isUnavailable(await failure { try await client.size(of: "a") }))
        await client.shutdown()
        #expect(isUnavailable(await failure { try await client.size(of: "a") }))
    }

    @Test func `a task that is cancelled waits no longer`() async throws {
        let store = try await ScriptedStore(.nothing)
        let error = try await withClient(store) { client in
            let task = Task { await failure { try await client.size(of: "a") } }
            while store.requests.isEmpty { await Task.yield() }
            task.cancel()
            return await task.value
        }
        #expect(error == .cancelled)
        #expect(store.requests.count == 1)
    }

    // MARK: Content

    @Test(arguments: [
        "", "<html>not found</html>", "<ListBucketResult>", "{}", "<Error><Code>InternalError</Code></Error>",
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents/></ListBucketResult>",
    ])
    func `an answer that is no list is tried again`(body: String) async throws {
        let store = try await ScriptedStore(.whole("200 OK", body), .whole("200 OK", Self.empty))
        try await withClient(store) { _ = try await $0.list(prefix: "a") }
        #expect(store.requests.count == 2)
    }

    @Test func `an answer without end is not kept`() async throws {
        let store = try await ScriptedStore(.whole("200 OK", String(repeating: " ", count: 5 << 20)))
        let error = try await withClient(store) { client in await failure { try await client.list(prefix: "a") } }
        #expect(error == .unavailable("the answer is too long"))
    }

    private func range(_ text: String, _ first: Int, of size: Int) -> ScriptedStore.Answer {
        .whole("206 Partial Content", text, ["Content-Range: bytes \(first)-\(first + text.utf8.count - 1)/\(size)"])
    }

    private func text(_ bytes: S3ObjectBytes) async throws -> String {
        try await bytes.reduce(into: "") { $0 += String(buffer: $1) }
    }

    @Test func `the rest of an object that breaks off is asked for again`() async throws {
        let head = ScriptedStore.Answer.head(
            "206 Partial Content", length: 6, ["Content-Range: bytes 2-7/10"])
        let store = try await ScriptedStore(.cut(head + "cde"), .whole("500 Oh"), range("fgh", 5, of: 10))
        let content = try await withClient(store) { try await text($0.bytes(of: "a", in: 2..<8)) }
        #expect(content == "cdefgh")
        #expect(store.requests.map { $0.headers.first(name: "range") } == ["bytes=2-7", "bytes=5-7", "bytes=5-7"])
    }

    @Test func `an object that always breaks off is given up`() async throws {
        let head = ScriptedStore.Answer.head("206 Partial Content", length: 4, ["Content-Range: bytes 0-3/4"])
        let store = try await ScriptedStore(.cut(head))
        let error = try await withClient(store) { client in
            await failure { try await text(client.bytes(of: "a", in: 0..<4)) }
        }
        #expect(isUnavailable(error))
    }

    @Test func `a store that ignores ranges gives the whole object, and nothing else`() async throws {
        let store = try await ScriptedStore(.whole("200 OK", "abcd"))
        try await withClient(store) { client in
            let content = try await text(client.bytes(of: "a", in: 0..<4))
            #expect(content == "abcd")
            // The beginning of it is not what was asked for, nor is more than that.
            #expect(isUnavailable(await failure { try await client.bytes(of: "a", in: 1..<4) }))
            #expect(isUnavailable(await failure { try await client.bytes(of: "a", in: 0..<3) }))
        }
    }

    @Test(arguments: ["bytes 0-2/4", "bytes 1-4/4", "", "*"])
    func `another range than the one asked for is refused`(range: String) async throws {
        let store = try await ScriptedStore(.whole("206 Partial Content", "abcd", ["Content-Range: \(range)"]))
        let error = try await withClient(store) { client in
            await failure { try await client.bytes(of: "a", in: 0..<4) }
        }
        #expect(isUnavailable(error))
    }

    // MARK: Parts

    private static let begun = ScriptedStore.Answer.whole(
        "200 OK", "<InitiateMultipartUploadResult><UploadId>u&amp;1</UploadId></InitiateMultipartUploadResult>")
    private static let tag = ScriptedStore.Answer.whole("200 OK", "", ["ETag: \"1\""])

    /// Puts a file of two parts.
    private func putParts(_ store: ScriptedStore) async throws -> S3Error? {
        let file = try TemporaryFile(size: 9 << 20)
        return try await withClient(store) {
            $0.multipartThreshold = 1 << 20
        } _: { client in
            await failure { try await client.put("a", fileAt: file.path, size: file.size) }
        }
    }

    @Test func `parts are thrown away when one of them fails`() async throws {
        let store = try await ScriptedStore(Self.begun, Self.tag, .whole("403 Forbidden"), .whole("204 No Content"))
        #expect(try await putParts(store) == .refused(status: 403, code: ""))
        let last = try #require(store.requests.last)
        #expect(last.method == .DELETE)
        #expect(last.uri == "/bucket/a?uploadId=u%261")
    }

    @Test func `a completion that fails with status 200 is tried again`() async throws {
        let store = try await ScriptedStore(
            Self.begun, Self.tag, Self.tag, .whole("200 OK", "<Error><Code>InternalError</Code></Error>"),
            .whole("200 OK", "<CompleteMultipartUploadResult/>"))
        #expect(try await putParts(store) == nil)
        #expect(store.requests.map(\.bodyBytes)[1...2] == [8 << 20, 1 << 20])
        #expect(store.requests.count == 5)
    }

    @Test(arguments: [9 << 20, 8 << 20])
    func `a completion whose answer was lost counts where the object is whole`(size: Int) async throws {
        let store = try await ScriptedStore(
            Self.begun, Self.tag, Self.tag, .cut(""),
            .whole("404 Not Found", "<Error><Code>NoSuchUpload</Code></Error>"),
            .bytes(ScriptedStore.Answer.head("200 OK", length: size)), .whole("204 No Content"))
        let error = try await putParts(store)
        #expect(error == (size == 9 << 20 ? nil : .refused(status: 404, code: "NoSuchUpload")))
    }

    @Test func `a file that is shorter than it should be is not stored`() async throws {
        let store = try await ScriptedStore(.whole("200 OK"))
        let file = try TemporaryFile(size: 100)
        let error = try await withClient(store) { client in
            await failure { try await client.put("a", fileAt: file.path, size: 101) }
        }
        #expect(error == .unreadableFile)
        #expect(store.requests.isEmpty)
    }

    @Test func `no error shows a key`() async throws {
        let body = "<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>the-access</AWSAccessKeyId></Error>"
        let store = try await ScriptedStore(.whole("403 Forbidden", body))
        let error = try await withClient(store) { client in await failure { try await client.list(prefix: "a") } }
        let text = String(reflecting: error) + (error?.description ?? "")
        #expect(text.contains("InvalidAccessKeyId"))
        #expect(!text.contains("the-"))
    }
}

/// A file of a size, removed with this value.
final class TemporaryFile {
    let path: String
    let size: Int

    init(size: Int) throws {
        self.size = size
        path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        var random = SystemRandomNumberGenerator()
        var bytes = Data(capacity: size)
        while bytes.count < size { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
        try bytes.prefix(size).write(to: URL(filePath: path))
    }

    var bytes: [UInt8] { get throws { Array(try Data(contentsOf: URL(filePath: path))) } }

    deinit { unlink(path) }
}
