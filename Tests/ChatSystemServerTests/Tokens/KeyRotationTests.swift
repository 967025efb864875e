import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct KeyRotationTests {
    /// Servers with a key of their own.
    private struct Cast {
        let stack: SharedStack
        let user: TestUser
        let roomID: String
        let system: RESTClient
        let message: RESTClient
        let webSocketPort: Int

        func login() async throws -> String {
            let account: JSON = ["username": .string(user.username), "password": .string(user.password)]
            let answer = try await system.post("/api/v1/auth/login", account).require(200, "login")
            return answer.json["accessToken"]?.string ?? ""
        }

        /// What each of the three says to a token.
        func answers(to token: String) async throws -> [Int?] {
            let socket = try await WebSocketTestClient.connect(
                port: webSocketPort, "/ws/chat?roomId=\(roomID)", headers: [("Authorization", "Bearer \(token)")])
            defer { socket.drop() }
            return [
                try await system.get("/api/v1/users/me", as: .token(token)).status,
                try await message.get("/api/v1/rooms/\(roomID)/events", as: .token(token)).status,
                try await socket.refusal()?.code.map(Int.init),
            ]
        }

        /// How often the key set has been asked for.
        func fetches() async throws -> Int {
            let metrics = try await system.get("/metrics").require(200, "metrics").text
            let counts = metrics.split(separator: "\n").filter {
                $0.hasPrefix("http_server_request_duration_seconds_count{") && $0.contains("jwks.json")
            }
            return counts.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
        }
    }

    private static let accepted: [Int?] = [200, 200, nil]
    private static let refused: [Int?] = [401, 401, 4401]

    @Test func `the key is changed under load without a restart, a refused token or a storm of fetches`() async throws {
        let folder = try PrivateFolder.temporary(prefix: "rotation")
        defer { PrivateFolder.remove(folder) }
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        try await stack.withServer(.system, ["CHAT_DATA_DIR": folder]) { system in
            let keys = ["CHAT_JWKS_URL": system.url + "/.well-known/jwks.json"]
            try await stack.withServer(.message, keys) { message in
                try await stack.withServer(.webSocket, keys) { webSocket in
                    try await rotate(
                        Cast(
                            stack: stack, user: user, roomID: roomID, system: RESTClient(baseURL: system.url),
                            message: RESTClient(baseURL: message.url), webSocketPort: webSocket.port), folder)
                }
            }
            // One that fetches the keys now does not know the old one.
            try await stack.withServer(.message, keys) { message in
                let old = try TokenForge(file: folder + "/old.pem").token(TokenForge.claims(user.userID))
                #expect(
                    try await RESTClient(baseURL: message.url).get(
                        "/api/v1/rooms/\(roomID)/events", as: .token(old)
                    ).status == 401)
            }
        }
    }

    private func rotate(_ cast: Cast, _ folder: String) async throws {
        let file = folder + "/signing-key.pem"
        let (old, new) = (try TokenForge(file: file), try TokenForge())
        let oldToken = try await cast.login()
        #expect(try await cast.answers(to: oldToken) == Self.accepted)

        // Both keys are known before the new one signs.
        try write(old.publicPEM, folder + "/previous.pub.pem")
        try write(new.publicPEM, folder + "/next.pub.pem")
        try await keyIDs([old.keyID, new.keyID], cast.system)
        // This test has asked for them, too.
        let atStart = try await cast.fetches()
        let finish = Finish()
        async let work = finish.repeating { _ in try await cast.answers(to: oldToken) }

        // A token of the new key is known at once: an unknown key is looked for, once a minute.
        let early = try new.token(TokenForge.claims(cast.user.userID))
        #expect(try await cast.answers(to: early) == Self.accepted)
        let afterOne = try await cast.fetches()
        #expect(afterOne <= atStart + 2)
        try await withThrowingTaskGroup { group in
            for _ in 0..<40 {
                group.addTask {
                    let forged = try TokenForge().token(TokenForge.claims(cast.user.userID))
                    #expect(try await cast.answers(to: forged) == Self.refused)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await cast.fetches() == afterOne)

        // The new key signs.
        try write(try String(contentsOfFile: file, encoding: .utf8), folder + "/old.pem")
        try write(new.privatePEM, file)
        let deadline = ContinuousClock.now + .seconds(60)
        var token = try await cast.login()
        while Self.keyID(of: token) != new.keyID {
            #expect(Self.keyID(of: token) == old.keyID)
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(100))
            token = try await cast.login()
        }
        for token in [token, oldToken] { #expect(try await cast.answers(to: token) == Self.accepted) }
        finish.now()
        let answers = try await work
        #expect(!answers.isEmpty)
        #expect(answers.allSatisfy { $0 == Self.accepted })

        // The old key goes.
        try FileManager.default.removeItem(atPath: folder + "/previous.pub.pem")
        try await keyIDs([new.keyID], cast.system)
        #expect(try await cast.system.get("/api/v1/users/me", as: .token(oldToken)).status == 401)
        #expect(try await cast.answers(to: token) == Self.accepted)
    }

    private func keyIDs(_ wanted: Set<String>, _ system: RESTClient) async throws {
        try await system.waitForAnswer("/.well-known/jwks.json", 200) { answer in
            Set((answer.json["keys"]?.array ?? []).compactMap { $0["kid"]?.string }) == wanted
        }
    }

    private static func keyID(of token: String) -> String? {
        (try? JSON(parsing: Base64URL.decode(token.prefix { $0 != "." })))?["kid"]?.string
    }

    private func write(_ text: String, _ path: String) throws {
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }
}
