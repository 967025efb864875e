import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

/// Starting as an operator sees it, for all three processes.
@Suite(.timeLimit(.minutes(2))) struct StartTests {
    struct WrongValue: Sendable, CustomTestStringConvertible {
        let kind: ServerKind
        let name: String
        let value: String
        /// Texts that must not appear.
        var secret: String?
        var testDescription: String { "\(kind.rawValue) \(name)=\(value)" }
    }

    static let wrongValues: [WrongValue] =
        ServerKind.allCases.flatMap { kind in
            [
                WrongValue(kind: kind, name: "CHAT_AUTH_MODE", value: "open"),
                WrongValue(kind: kind, name: "CHAT_LOG_LEVEL", value: "loud"),
                WrongValue(kind: kind, name: "CHAT_TLS_CA_FILE", value: "/nowhere/ca.pem"),
                WrongValue(
                    kind: kind, name: "CHAT_DATABASE_URL", value: "mysql://chat:hunter2@localhost/chat",
                    secret: "hunter2"),
                WrongValue(
                    kind: kind, name: "CHAT_DATABASE_URL", value: "postgres://chat:hunter2@localhost:port/chat",
                    secret: "hunter2"),
                // Not percent-encoded: what of it would be taken for a host or a port is none of anybody's business.
                WrongValue(
                    kind: kind, name: "CHAT_DATABASE_URL", value: "postgres://chat:se@hunter2@localhost/chat",
                    secret: "hunter2"),
                WrongValue(
                    kind: kind, name: "CHAT_DATABASE_URL", value: "postgres://chat:hunter2/1@localhost/chat",
                    secret: "hunter2"),
                WrongValue(
                    kind: kind, name: "CHAT_DATABASE_URL", value: "postgres://chat:hunter2:1@localhost/chat",
                    secret: "hunter2"),
                WrongValue(
                    kind: kind, name: "CHAT_DATABASE_URL", value: "postgres://chat:hunter2", secret: "hunter2"),
                WrongValue(kind: kind, name: "CHAT_HOST", value: "192.0.2.1"),
                WrongValue(kind: kind, name: "CHAT_HOST", value: "no..such..host"),
                WrongValue(kind: kind, name: "CHAT_REDIS_URL", value: "http://:hunter2@localhost", secret: "hunter2"),
                WrongValue(
                    kind: kind, name: "CHAT_REDIS_URL", value: "redis://:hunter2@localhost:x", secret: "hunter2"),
            ]
        } + [
            WrongValue(kind: .system, name: "CHAT_PASSWORD_COST", value: "11"),
            WrongValue(kind: .system, name: "CHAT_ACCESS_TOKEN_SECONDS", value: "soon"),
            WrongValue(kind: .system, name: "CHAT_LIMIT_LOGINS_PER_ACCOUNT", value: "10/h"),
            WrongValue(kind: .message, name: "CHAT_LIMIT_POSTS", value: "many"),
            WrongValue(kind: .message, name: "CHAT_JWKS_URL", value: "file:///etc/passwd"),
            WrongValue(kind: .message, name: "CHAT_FILE_STORE", value: "/data/files"),
            WrongValue(kind: .system, name: "CHAT_PUBLIC_SYSTEM_URL", value: "chat.example.org"),
            WrongValue(
                kind: .message, name: "CHAT_MESSAGE_HOOK_URL", value: "http://hooks.example.org/?token=hunter2",
                secret: "hunter2"),
            WrongValue(kind: .message, name: "CHAT_MESSAGE_HOOK_SECRET", value: "whsec_hunter2", secret: "hunter2"),
            WrongValue(kind: .message, name: "CHAT_MESSAGE_HOOK_FAILS", value: "ajar"),
            WrongValue(kind: .webSocket, name: "CHAT_JWKS_URL", value: "http://"),
            WrongValue(kind: .system, name: "CHAT_REFRESH_TOKEN_SECONDS", value: "0"),
            WrongValue(kind: .system, name: "CHAT_TRUSTED_PROXIES", value: "10.0.0.0/33"),
            WrongValue(kind: .system, name: "CHAT_PUBLIC_MESSAGE_URL", value: "example.org"),
            WrongValue(kind: .system, name: "CHAT_PUBLIC_WEBSOCKET_URL", value: "https://example.org"),
            WrongValue(kind: .system, name: "CHAT_SIGNING_KEY_FILE", value: "/dev/null/key.pem"),
            WrongValue(kind: .message, name: "CHAT_LOG_FORMAT", value: "xml"),
            WrongValue(kind: .webSocket, name: "CHAT_LIMIT_FRAMES", value: "-1/s"),
            WrongValue(kind: .webSocket, name: "CHAT_DRAIN_SECONDS", value: "-1"),
            WrongValue(kind: .webSocket, name: "CHAT_ALLOWED_ORIGINS", value: "example.org"),
            WrongValue(kind: .webSocket, name: "CHAT_LIMIT_SOCKETS", value: "1.5"),
        ]

    @Test(arguments: wrongValues)
    func `a wrong value ends the process with 78 and one line that names the variable`(_ wrong: WrongValue) async throws
    {
        let stack = try await SharedStack.running()
        // With PostgreSQL away: what is wrong is found before anything is waited for.
        let away = "postgres://chat@127.0.0.1:\(try FreePort.next())/chat"
        let server = try stack.makeServer(
            wrong.kind, ["CHAT_DATABASE_URL": away].merging([wrong.name: wrong.value]) { _, wrong in wrong })
        let status = try await server.launch().waitForExit(timeout: .seconds(30))
        try await server.kill()
        #expect(status == .exited(78))
        let output = try String(contentsOfFile: server.configuration.logFile, encoding: .utf8)
        let lines = output.split(separator: "\n")
        #expect(lines.count == 1, "\(output)")
        #expect(output.contains(wrong.name))
        #expect(output.contains("allowed"))
        if let secret = wrong.secret {
            #expect(!output.contains(secret), "\(output)")
        } else {
            #expect(output.contains(wrong.value))
        }
    }

    @Test(arguments: ServerKind.allCases)
    func `an unusable database ends the process with 78 and one line`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running()
        let name = "latin_\(kind.logName)"
        try await stack.processes.postgres.run(
            sql: "CREATE DATABASE \(name) ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        let url = stack.processes.postgres.url(database: name)
        let server = try stack.makeServer(kind, ["CHAT_DATABASE_URL": url, "CHAT_LOG_LEVEL": "critical"])
        let status = try await server.launch().waitForExit(timeout: .seconds(60))
        try await server.kill()
        #expect(status == .exited(78))
        let lines = server.logTail().filter { !$0.hasPrefix("{") }
        #expect(lines.count == 1, "\(server.logTail())")
        #expect(lines.first?.contains("CHAT_DATABASE_URL") == true && lines.first?.contains("LATIN1") == true)
    }

    @Test func `with a migrated database the role needs no privilege to change its schema`() async throws {
        let stack = try await SharedStack.running()
        let postgres = stack.processes.postgres
        let url = try await postgres.createDatabase(named: "without_create")
        let environment = ["CHAT_DATABASE_URL": url]
        try await stack.withServer(.system, environment) { _ in }
        try await postgres.run(
            sql: "REVOKE CREATE ON SCHEMA public FROM PUBLIC, pg_database_owner", in: "without_create")
        await #expect(throws: (any Error).self) {
            try await postgres.run(sql: "CREATE TABLE forbidden ()", in: "without_create")
        }
        for kind in ServerKind.allCases { try await stack.withServer(kind, environment) { _ in } }
    }

    @Test(arguments: ServerKind.allCases)
    func `a port in use ends the process with 1 and one line`(_ kind: ServerKind) async throws {
        let stack = try await SharedStack.running()
        let folder = try PrivateFolder.temporary(prefix: "chat-port")
        defer { PrivateFolder.remove(folder) }
        let taken = stack.processes.systemServer.port
        // `fatal` is not among the levels, so `critical` it is: at start the servers say things worth knowing.
        let server = LocalServer(
            .init(
                kind, port: taken,
                environment: stack.environment.merging(["CHAT_LOG_LEVEL": "critical"]) { _, new in new },
                logFile: "\(folder)/log"))
        let status = try await server.launch().waitForExit(timeout: .seconds(30))
        try await server.kill()
        #expect(status == .exited(1))
        let lines = server.logTail().filter { !$0.hasPrefix("{") }
        #expect(lines.count == 1, "\(server.logTail())")
        #expect(lines.first?.contains(String(taken)) == true)
        #expect(lines.first?.contains("in use") == true)
    }

    @Test func `an empty value is unset, and an unknown variable is a warning`() async throws {
        let stack = try await SharedStack.running()
        let variables = ["CHAT_LOG_LEVEL": "", "CHAT_PASSWORD_COST": "", "CHAT_PASWORD_COST": "12"]
        try await stack.withServer(.system, variables) { server in
            let warnings = server.logTail(100).compactMap { try? JSON(parsing: Array($0.utf8)) }
                .filter { $0["level"] == "warning" }
            #expect(warnings.contains { $0.text.contains("CHAT_PASWORD_COST") })
        }
    }

    @Test func `servers that start before PostgreSQL and Redis are live, name what is missing, and become ready`()
        async throws
    {
        let stack = try LocalStack(.init(environment: ["CHAT_PASSWORD_COST": "12"]))
        let servers = [stack.systemServer, stack.messageServers[0], stack.webSocketServers[0]]
        do {
            for server in servers { try await server.launch() }
            for server in servers {
                let client = RESTClient(baseURL: server.url)
                try await client.waitForAnswer("/health/live", 200)
                let ready = try await client.waitForAnswer("/health/ready", 503)
                #expect(ready.json["status"] == "unavailable")
                #expect(ready.json["checks"]?["postgres"]?.string != "ok")
                #expect(ready.json["checks"]?["postgres"]?.string?.isEmpty == false)
                #expect(ready.header("Retry-After") != nil)
                // Whatever is asked meanwhile is answered, too.
                let early = try await client.get("/api/v1/rooms/r/events", as: .token("x"))
                #expect([401, 404, 503].contains(early.status))
            }
            try await stack.postgres.start()
            for server in servers {
                let client = RESTClient(baseURL: server.url)
                let ready = try await client.waitForAnswer("/health/ready", 200)
                #expect(ready.json["checks"]?["postgres"] == "ok")
                #expect(ready.json["status"] == "degraded")
                let name = server.kind == .webSocket ? "redis_subscription" : "redis"
                #expect(ready.json["checks"]?[name]?.string != "ok")
            }
            try await stack.redis.start()
            for server in servers {
                let ready = try await RESTClient(baseURL: server.url).waitForAnswer("/health/ready", 200) {
                    $0.json["status"] == "ok"
                }
                #expect(ready.json["checks"]?.object?.values.allSatisfy { $0 == "ok" } == true)
            }
        } catch {
            try? await stack.stop()
            throw error
        }
        try await stack.stop()
    }
}
