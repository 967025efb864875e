import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) struct FileTests {
    let server = FakeServer()

    private static func isUpload(_ call: HTTPCall) -> Bool { call.path.hasPrefix("/api/v1/files?roomId=") }

    private static func file(_ status: Int = 201, mimeType: String = "image/png") -> ClientResponse {
        ClientResponse(status: status, body: Array(#"{"fileId":"f1","mimeType":"\#(mimeType)"}"#.utf8))
    }

    private static func problem(_ status: Int, _ code: String) -> ClientResponse {
        ClientResponse(status: status, body: Array(#"{"code":"\#(code)"}"#.utf8))
    }

    private func header(_ name: String, _ call: HTTPCall) -> String? { call.headers.first { $0.name == name }?.value }
    private var uploads: [HTTPCall] { server.calls.filter(Self.isUpload) }
    private var posts: [HTTPCall] { server.calls.filter { $0.path == "/api/v1/messages" } }

    /// Uploads are answered as the test says, by their number from 1; messages are stored.
    private func answer(_ upload: @escaping @Sendable (Int, HTTPCall) async throws -> ClientResponse) {
        let count = NIOLockedValueBox(0)
        server.answer { call in
            Self.isUpload(call) ? try await upload(count.increment(), call) : PostTests.stored(call, seq: 1)
        }
    }

    /// Runs a client that is live.
    private func live<Result: Sendable>(
        _ client: ChatClient, _ body: @escaping @Sendable (ChatRoom) async throws -> Result
    ) async throws -> Result {
        try await running(client) { [server] in
            try await server.link().live(rooms: [roomFrame("a")])
            return try await body(client.room("a"))
        }
    }

    @Test func `a file is uploaded, then a message of the outbox names it`() async throws {
        answer { _, _ in Self.file() }
        let reported = NIOLockedValueBox<[UploadProgress]>([])
        let file = OutgoingFile(bytes: Array("hello".utf8), name: "a b&c.txt", contentType: "text/plain")
        let message = try await live(try makeClient(server)) { room in
            let post = try await room.sendFile(file, caption: "c", key: "k/1", replyTo: 7, payload: ["extra": 1]) {
                progress in reported.withLockedValue { $0.append(progress) }
            }
            #expect(post.key == "k/1")
            #expect(post.state != .new)
            return try await post.stored()
        }
        #expect(message.file?.fileID == "f1")
        let upload = try #require(uploads.first)
        #expect(upload.path == "/api/v1/files?roomId=a&name=a%20b%26c.txt")
        #expect(upload.body == Array("hello".utf8))
        #expect(upload.timeoutMilliseconds == 60_000)
        #expect(header("content-type", upload) == "text/plain")
        #expect(header("idempotency-key", upload) == "k%2F1")
        #expect(header("authorization", upload)?.hasPrefix("Bearer ") == true)
        #expect(reported.withLockedValue { $0 } == [UploadProgress(sent: 5, total: 5)])
        let body = try JSONParser.parse(try #require(posts.first?.body))
        #expect(body["clientMessageId"] == "k/1")
        #expect(body["messageType"] == "image")
        #expect(body["replyToMessageId"] == 7)
        #expect(body["payload"] == ["fileId": "f1", "caption": "c", "extra": 1])
    }

    @Test func `an upload that breaks is begun again under its key, and the message is sent once`() async throws {
        let tries: [@Sendable () throws -> ClientResponse] = [
            { throw ChatError.cut }, { throw ChatError.timeout }, { Self.problem(503, "unavailable") },
            { Self.problem(409, "upload_in_progress") }, { ClientResponse(status: 502, body: Array("<html>".utf8)) },
            { ClientResponse(status: 201, body: Array(#"{"fileI"#.utf8)) }, { Self.file(200) },
        ]
        answer { number, _ in try tries[number - 1]() }
        try await live(try makeClient(server)) { room in
            _ = try await room.sendFile(OutgoingFile(bytes: [1, 2, 3], name: "a")).stored()
        }
        #expect(uploads.map(\.body) == Array(repeating: [1, 2, 3], count: tries.count))
        #expect(Set(uploads.map { header("idempotency-key", $0) }).count == 1)
        #expect(posts.count == 1)
    }

    @Test func `a token that is refused is renewed, and the upload goes on`() async throws {
        let count = NIOLockedValueBox(0)
        let client = try makeClient(server) { _ in token(of: 1, id: count.increment()) }
        answer { number, _ in number == 1 ? Self.problem(401, "unauthorized") : Self.file() }
        try await live(client) { room in
            _ = try await room.sendFile(OutgoingFile(bytes: [1], name: "a")).stored()
        }
        #expect(Set(uploads.map { header("authorization", $0) }).count == 2)
    }

    @Test(arguments: ["file_too_large", "file_quota", "files_off", "room_archived"])
    func `a file that is refused is no message`(_ code: String) async throws {
        answer { _, _ in Self.problem(413, code) }
        let error = await #expect(throws: ChatError.self) {
            try await live(try makeClient(server)) { room in
                _ = try await room.sendFile(OutgoingFile(bytes: [1], name: "a"))
            }
        }
        #expect(error?.code.rawValue == code)
        #expect(uploads.count == 1)
        #expect(posts.isEmpty)
    }

    @Test(arguments: [true, false])
    func `an upload can be cancelled, also while it waits`(_ isWaiting: Bool) async throws {
        answer { _, _ in
            if !isWaiting { try await Task.sleep(for: .seconds(600)) }
            var answer = Self.problem(503, "unavailable")
            answer.headers["retry-after"] = "300"
            return answer
        }
        try await live(try makeClient(server)) { room in
            let sending = Task { try await room.sendFile(OutgoingFile(bytes: [1], name: "a")) }
            try await until { !uploads.isEmpty }
            sending.cancel()
            await #expect(throws: CancellationError.self) { try await sending.value }
        }
        #expect(uploads.count == 1)
        #expect(posts.isEmpty)
    }

    @Test func `the end of the client ends uploads`() async throws {
        answer { _, _ in
            try await Task.sleep(for: .seconds(600))
            throw ChatError.timeout
        }
        let client = try makeClient(server)
        let sending = try await live(client) { room in
            let sending = Task { try await room.sendFile(OutgoingFile(bytes: [1], name: "a")) }
            try await until { !uploads.isEmpty }
            return sending
        }
        let error = await #expect(throws: ChatError.self) { try await sending.value }
        #expect(error?.code == .closed)
        let later = await #expect(throws: ChatError.self) {
            try await client.room("a").sendFile(OutgoingFile(bytes: [1], name: "a"))
        }
        #expect(later?.code == .closed)
        #expect(uploads.count == 1)
    }

    @Test func `the same key in another life is the same upload and the same message`() async throws {
        let store = MemoryChatStore()
        let (stopped, stop) = AsyncStream.makeStream(of: Void.self)
        answer { number, _ in
            // The server has the file, and the process dies before it knows.
            guard number == 1 else { return Self.file(200) }
            stop.yield()
            throw ChatError.cut
        }
        let first = Task { [server] in
            try await live(try makeClient(server, store: store)) { room in
                _ = try await room.sendFile(OutgoingFile(bytes: [1], name: "a"), key: "order-17")
            }
        }
        for await _ in stopped { break }
        first.cancel()
        _ = await first.result
        try await live(try makeClient(server, store: store)) { room in
            _ = try await room.sendFile(OutgoingFile(bytes: [1], name: "a"), key: "order-17").stored()
        }
        #expect(Set(uploads.map { header("idempotency-key", $0) }) == ["order-17"])
        #expect(posts.map(PostTests.key) == ["order-17"])
    }

    @Test(arguments: [201, 413]) func `a thumbnail goes with it, and is worth one try`(_ status: Int) async throws {
        answer { _, call in call.path.contains("thumbnailOf") ? Self.file(status) : Self.file() }
        try await live(try makeClient(server)) { room in
            let file = OutgoingFile(bytes: [1, 2], name: "a.png", thumbnail: [3])
            _ = try await room.sendFile(file).stored()
        }
        let paths = ["/api/v1/files?roomId=a&name=a.png", "/api/v1/files?roomId=a&name=thumbnail&thumbnailOf=f1"]
        #expect(uploads.map(\.path) == paths)
        #expect(uploads.map(\.body) == [[1, 2], [3]])
        #expect(posts.count == 1)
    }

    @Test(arguments: ["none", "folder"]) func `a file that cannot be read is refused at once`(_ name: String)
        async throws
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(
            at: folder.appendingPathComponent("folder"), withIntermediateDirectories: true)
        let error = await #expect(throws: ChatError.self) {
            try await live(try makeClient(server)) { room in
                _ = try await room.sendFile(OutgoingFile(path: folder.appendingPathComponent(name).path))
            }
        }
        #expect(error?.code == .invalid)
        #expect(server.calls.isEmpty)
    }

    @Test(arguments: ["", "text/plain\r\nx-user-id: 1", "text/plain ", "é"])
    func `what is no media type is not sent`(_ type: String) async throws {
        let client = try makeClient(server)
        let error = await #expect(throws: ChatError.self) {
            try await client.room("a").sendFile(OutgoingFile(bytes: [1], name: "a", contentType: type))
        }
        #expect(error?.code == .invalid)
        #expect(server.calls.isEmpty)
    }

    @Test func `files have whole addresses`() async throws {
        server.answer { call in
            let items: JSONValue = [
                "items": [
                    [
                        "fileId": "f1", "roomId": "a", "name": "a.png", "mimeType": "image/png", "fileSize": 17,
                        "sha256": "00", "width": 4, "height": 3, "url": "/api/v1/files/f1?expires=1&signature=s",
                        "createdAt": "2026-12-01T00:00:00.000Z",
                    ], ["fileId": "f2", "thumbnailUrl": "https://cdn.test/f2"], ["name": "no id"],
                ]
            ]
            return ClientResponse(status: 200, body: items.bytes)
        }
        let client = try makeClient(server)
        let files = try await live(client) { _ in try await client.files(["f1", "f,2", "f3"]) }
        #expect(server.calls.map(\.path) == ["/api/v1/files?ids=f1,f%2C2,f3"])
        #expect(files.map(\.fileID) == ["f1", "f2"])
        let file = try #require(files.first)
        #expect(file.url == "http://messages.test/api/v1/files/f1?expires=1&signature=s")
        #expect(file.thumbnailURL == nil)
        #expect((file.name, file.mimeType, file.fileSize) == ("a.png", "image/png", 17))
        #expect((file.width, file.height) == (4, 3))
        #expect(files.last?.thumbnailURL == "https://cdn.test/f2")
    }

    @Test func `a message says what the server knows of its file`() throws {
        let payload: JSONValue = [
            "fileId": "f1", "fileName": "a.png", "mimeType": "image/png", "fileSize": 17, "width": 4, "height": 3,
            "caption": "c",
        ]
        var frame = messageFrame("a", 1).object ?? [:]
        #expect(try #require(Message(json: frame)).file == nil)
        frame["contentJson"] = .string(payload.text)
        let file = try #require(Message(json: frame)?.file)
        #expect((file.fileID, file.name, file.mimeType) == ("f1", "a.png", "image/png"))
        #expect((file.fileSize, file.width, file.height, file.caption) == (17, 4, 3, "c"))
    }
}
