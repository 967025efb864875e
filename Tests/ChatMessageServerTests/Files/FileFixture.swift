import ChatLocalStack
import ChatTestSupport
import Testing

/// A room with its people, and calls of files.
struct FileFixture {
    let stack: SharedStack
    let owner: TestUser
    let member: TestUser
    let stranger: TestUser
    let roomID: String
    /// The server that is called.
    let server: RESTClient

    init(_ stack: SharedStack, server: LocalServer? = nil) async throws {
        self.stack = stack
        let users = try await stack.users(3)
        (owner, member, stranger) = (users[0], users[1], users[2])
        roomID = try await stack.room(of: owner, with: [member])
        self.server = server.map { RESTClient(baseURL: $0.url) } ?? stack.messages()
    }

    static let text = Array("Hello, file\n".utf8)

    /// A PNG of one pixel.
    static let pixel = picture(width: 1, height: 1)

    /// The head of a PNG, with a checksum that nobody looks at.
    static func picture(width: UInt32, height: UInt32) -> [UInt8] {
        func bytes(_ number: UInt32) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + bytes(13) + Array("IHDR".utf8) + bytes(width)
            + bytes(height) + [8, 6, 0, 0, 0] + bytes(0) + bytes(0) + Array("IEND".utf8) + bytes(0xAE42_6082)
    }

    // MARK: Calls

    func target(in room: String? = nil, name: String = "hello.txt", thumbnailOf original: String? = nil) -> String {
        "/api/v1/files?roomId=\(room ?? roomID)&name=\(name)" + (original.map { "&thumbnailOf=\($0)" } ?? "")
    }

    func upload(
        _ bytes: [UInt8] = text, as user: TestUser? = nil, in room: String? = nil, name: String = "hello.txt",
        thumbnailOf original: String? = nil, key: String? = nil, headers: [(String, String)] = []
    ) async throws -> RESTResponse {
        try await server.send(
            .post, target(in: room, name: name, thumbnailOf: original), as: (user ?? owner).credentials,
            headers: headers + (key.map { [("Idempotency-Key", $0)] } ?? []), bytes: bytes)
    }

    /// Uploads a file that must be stored.
    /// - Returns: its id.
    func file(
        _ bytes: [UInt8] = text, as user: TestUser? = nil, in room: String? = nil, thumbnailOf original: String? = nil
    ) async throws -> String {
        let stored = try await upload(bytes, as: user, in: room, thumbnailOf: original).require(201, "upload")
        return stored.json["fileId"]?.string ?? ""
    }

    func info(_ fileID: String, as user: TestUser? = nil) async throws -> RESTResponse {
        try await server.get("/api/v1/files/\(fileID)/info", as: (user ?? owner).credentials)
    }

    func download(
        _ fileID: String, as user: TestUser? = nil, headers: [(String, String)] = []
    ) async throws -> RESTResponse {
        try await server.get("/api/v1/files/\(fileID)", as: (user ?? owner).credentials, headers: headers)
    }

    func delete(_ fileID: String, as user: TestUser? = nil) async throws -> RESTResponse {
        try await server.send(.delete, "/api/v1/files/\(fileID)", as: (user ?? owner).credentials)
    }

    /// The body of a post that names a file.
    func post(
        _ fileID: String, type: String = "file", in room: String? = nil, key: String? = nil,
        _ more: [String: JSON] = [:]
    ) -> JSON {
        var body: [String: JSON] = [
            "roomId": .string(room ?? roomID), "messageType": .string(type),
            "payload": .object(["fileId": .string(fileID)].merging(more) { $1 }),
        ]
        if let key { body["clientMessageId"] = .string(key) }
        return .object(body)
    }

    func send(_ body: JSON, as user: TestUser? = nil) async throws -> RESTResponse {
        try await server.post("/api/v1/messages", body, as: (user ?? owner).credentials)
    }

    /// Repeats a call until its answer has a status: a file is removed in the background, which is no event.
    static func wait(for status: Int, _ call: () async throws -> RESTResponse) async throws {
        let deadline = ContinuousClock.now + .seconds(40)
        while true {
            let answer = try await call()
            if answer.status == status { return }
            try #require(ContinuousClock.now < deadline, "\(answer)")
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

extension RESTResponse {
    /// The payload of a Message.
    var content: JSON {
        json["contentJson"]?.string.flatMap { try? JSON(parsing: Array($0.utf8)) } ?? .null
    }
}
