import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct SecretsInLogsTests {
    /// What must not be in any log, by what it is.
    private struct Secrets {
        let token: String
        let refreshToken: String
        /// A server's key.
        let key: String
        /// No words of a log, and no others' either.
        let password = Unique.name("pass")
        let database = Unique.name("database")
        let redis = Unique.name("redis")
        let bad = Unique.name("bad")

        var all: [String] {
            // Of a token neither what it says nor its signature.
            token.split(separator: ".").dropFirst().map(String.init) + [
                refreshToken, String(key.dropFirst(5)), password, database, redis, bad,
            ]
        }
    }

    @Test func `the most verbose log holds no token, no password and no URL with one`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let secrets = Secrets(
            token: try #require(user.token), refreshToken: user.refreshToken,
            key: try await stack.key(.users, .rooms, .messages, .changes, .keys).text)
        let environment = [
            "CHAT_LOG_LEVEL": "trace",
            // Let in with any password.
            "CHAT_DATABASE_URL": stack.environment["CHAT_DATABASE_URL"]?.replacing(
                "chat@", with: "chat:\(secrets.database)@")
                ?? "",
            // Not let in: there is no password.
            "CHAT_REDIS_URL": "redis://:\(secrets.redis)@127.0.0.1:\(stack.processes.redis.port)",
        ]
        var logs: [String] = []
        for kind in ServerKind.allCases {
            logs.append(
                try await stack.withServer(kind, environment) { server in
                    for target in targets(of: kind, roomID) {
                        try await ask(server, target, secrets)
                    }
                    await askBadly(server, targets(of: kind, roomID)[0], secrets)
                    if kind == .webSocket { try await sockets(server.port, roomID, secrets) }
                    return server.configuration.logFile
                })
        }
        let away = try stack.makeServer(
            .message,
            ["CHAT_LOG_LEVEL": "trace", "CHAT_DATABASE_URL": "postgres://chat:\(secrets.database)@127.0.0.1:1/chat"])
        try await away.launch()
        try await RESTClient(baseURL: away.url).waitForAnswer("/health/ready", 503) {
            $0.json["checks"]?["postgres"] != "ok"
        }
        try await away.kill()
        for file in logs + [away.configuration.logFile] {
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(text.split(separator: "\n").count > 3, "\(file)")
            for secret in secrets.all {
                let lines = text.split(separator: "\n").filter { $0.contains(secret) }
                #expect(lines.isEmpty, "\(file)")
            }
        }
        // It would have been seen there: the same requests without their secrets are.
        #expect(try String(contentsOfFile: logs[0], encoding: .utf8).contains("/api/v1/auth/login"))
        #expect(try String(contentsOfFile: logs[2], encoding: .utf8).contains("/ws/chat"))
    }

    private func targets(of kind: ServerKind, _ roomID: String) -> [String] {
        switch kind {
        case .system:
            [
                "auth/register", "auth/login", "auth/refresh", "auth/logout", "users/me", "users", "rooms",
                "admin/keys", "nothing",
            ]
            .map { "/api/v1/\($0)" }
        case .message: ["/api/v1/messages", "/api/v1/rooms/\(roomID)/messages", "/api/v1/messages/1", "/nothing"]
        case .webSocket: ["/ws/chat", "/health/live", "/nothing"]
        }
    }

    /// Every way in which a request can carry a secret, rightly or not.
    private func ask(_ server: LocalServer, _ target: String, _ secrets: Secrets) async throws {
        let client = RESTClient(baseURL: server.url)
        let bodies = [
            #"{"username":"nobody","password":"\#(secrets.password)"}"#,
            #"{"username":"\#(Unique.name("u"))","password":"\#(secrets.password)"}"#,
            #"{"username":7,"password":["\#(secrets.password)"]}"#, #"{"password":"\#(secrets.password)"#,
            #"{"refreshToken":"\#(secrets.refreshToken)"}"#, #"{"refreshToken":"\#(secrets.bad)"}"#,
        ]
        for body in bodies {
            for type in ["application/json", "text/plain"] {
                _ = try await client.send(.post, target, headers: [("Content-Type", type)], bytes: Array(body.utf8))
            }
        }
        for value in [secrets.token, secrets.bad, secrets.key] {
            for query in [
                "access_token=\(value)", "token=\(value)", "access_token=\(value)%zz", "limit=\(value)",
                "cursor=\(value)", "roomId=\(value)%00",
            ] {
                _ = try await client.get("\(target)?\(query)")
                _ = try await client.get("\(target)?\(query)", as: .token(value))
            }
            for header in ["Bearer \(value)", "Basic \(value)", "Bearer \(value) \(value)", value] {
                _ = try await client.get(target, headers: [("Authorization", header), ("Cookie", "token=\(value)")])
            }
        }
    }

    /// What is no HTTP.
    private func askBadly(_ server: LocalServer, _ target: String, _ secrets: Secrets) async {
        for value in [secrets.token, secrets.bad, secrets.key] {
            for head in [
                "GET \(target)?access_token=\(value) HTTP/9.9\r\n\r\n",
                "GET \(target)?access_token=\(value)\u{1} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                "GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization Bearer \(value)\r\n\r\n",
                "\(value) \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                "GET \(target)?access_token=\(value) HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: x\r\n\r\n",
                "POST \(target)?access_token=\(value) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\nzz\(value)\r\n",
            ] {
                await exchange(server.port, head)
            }
        }
    }

    /// Not all of it is answered, and none of the answers matters: it is read, and that is enough to be logged.
    private func exchange(_ port: Int, _ head: String) async {
        await withTaskGroup { group in
            group.addTask { _ = try? await RawHTTP.exchange(port: port, head) }
            group.addTask { try? await Task.sleep(for: .milliseconds(300)) }
            await group.next()
            group.cancelAll()
        }
    }

    private func sockets(_ port: Int, _ roomID: String, _ secrets: Secrets) async throws {
        for value in [secrets.token, secrets.bad, secrets.key] {
            for (target, headers) in [
                ("/ws/chat?roomId=\(roomID)&access_token=\(value)", []),
                ("/ws/chat?roomId=\(roomID)", [("Sec-WebSocket-Protocol", "chat.v1, bearer.\(value)")]),
                ("/ws/chat?roomId=\(roomID)", [("Sec-WebSocket-Protocol", "bearer.\(value)")]),
                ("/ws/chat?roomId=\(roomID)", [("Authorization", "Bearer \(value)")]),
                ("/ws/chat?roomId=%zz&access_token=\(value)", []),
                ("/ws/chat?roomId=\(roomID)&lastSeq=\(value)", [("Origin", "http://\(value)/")]),
                ("/elsewhere?access_token=\(value)", []),
            ] {
                let socket = try await WebSocketTestClient.connect(port: port, target, headers: headers)
                defer { socket.drop() }
                guard socket.handshake.status == 101, try await socket.refusal() == nil else { continue }
                for text in [
                    #"{"type":"auth","token":"\#(value)"}"#, #"{"type":"auth","token":"\#(secrets.bad)"}"#,
                    #"{"type":"auth","token":["\#(value)"]}"#, #"{"type":"\#(value)"}"#, value,
                ] {
                    try await socket.send(.text(text))
                }
                try await socket.send(["type": "ping"])
                try await socket.event(type: "pong")
                try await socket.close()
            }
        }
    }
}
