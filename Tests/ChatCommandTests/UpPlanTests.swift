import ChatLocalStack
import CommonUtil
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct UpPlanTests {
    private func plan(
        trusted: Bool = false, dataFolder: String? = nil, environment: [String: String] = [:]
    ) async throws -> UpPlan {
        try await UpPlan(trusted: trusted, dataFolder: dataFolder, ports: [:], environment: environment)
    }

    @Test func `private engines and token mode are the default`() async throws {
        let plan = try await plan()
        #expect(plan.externalDatabase == nil)
        #expect(plan.externalRedis == nil)
        #expect(plan.authMode == .token)
        #expect(plan.folder.hasSuffix("/.chat"))
        #expect(ServerKind.allCases.map(plan.port) == [8080, 8081, 8082])
    }

    @Test func `external engines, the mode and the folder come from the environment; an empty value is an unset one`()
        async throws
    {
        let plan = try await plan(environment: [
            "CHAT_DATABASE_URL": "postgres://a@b/c", "CHAT_REDIS_URL": "", "CHAT_AUTH_MODE": "trusted",
            "CHAT_DATA_DIR": "/x/y",
        ])
        #expect(plan.externalDatabase == "postgres://a@b/c")
        #expect(plan.externalRedis == nil)
        #expect(plan.authMode == .trusted)
        #expect(plan.folder == "/x/y")
    }

    @Test func `options win over the environment`() async throws {
        let plan = try await plan(
            trusted: true, dataFolder: "/z", environment: ["CHAT_AUTH_MODE": "token", "CHAT_DATA_DIR": "/x"])
        #expect(plan.authMode == .trusted)
        #expect(plan.folder == "/z")
    }

    @Test func `known variables are handed to the servers, with the engines' addresses and the keys' URL`() async throws
    {
        let environment = try await plan(
            dataFolder: "/d", environment: ["CHAT_LIMIT_POSTS": "5/s", "CHAT_MISSPELT": "1", "HOME": "/h"]
        ).serverEnvironment(databaseURL: "postgres://p", redisURL: "redis://r")
        #expect(
            environment == [
                "CHAT_LIMIT_POSTS": "5/s", "CHAT_DATABASE_URL": "postgres://p", "CHAT_REDIS_URL": "redis://r",
                "CHAT_AUTH_MODE": "token", "CHAT_DATA_DIR": "/d",
                "CHAT_JWKS_URL": "http://127.0.0.1:8080/.well-known/jwks.json",
                "CHAT_PUBLIC_MESSAGE_URL": ":8081", "CHAT_PUBLIC_WEBSOCKET_URL": ":8082",
            ])
    }

    @Test func `the servers listen on the host and find each other there`() async throws {
        let plan = try await plan(environment: ["CHAT_HOST": "192.0.2.7"])
        #expect(plan.host == "192.0.2.7")
        #expect(plan.url(.system) == "http://192.0.2.7:8080")
        let jwks = plan.serverEnvironment(databaseURL: "", redisURL: "")["CHAT_JWKS_URL"]
        #expect(jwks == "http://192.0.2.7:8080/.well-known/jwks.json")
        let all = try await self.plan(environment: ["CHAT_HOST": "0.0.0.0"])
        #expect(all.host == "0.0.0.0" && all.url(.system) == "http://localhost:8080")
        await #expect(throws: ConfigurationError.self) { try await self.plan(environment: ["CHAT_HOST": "::1"]) }
    }

    @Test(arguments: ["CHAT_PORT", "CHAT_METRICS_PORT"])
    func `one port for three servers is refused, with the options`(name: String) async {
        await #expect {
            _ = try await plan(environment: [name: "9000"])
        } throws: { error in
            error is ConfigurationError && "\(error)".hasPrefix(name) && "\(error)".contains("--system-port")
        }
    }

    @Test func `misspelt variables are reported`() async throws {
        #expect(
            try await plan(environment: ["CHAT_PROT": "1", "CHAT_LOG_LEVEL": "info"]).unknownNames == ["CHAT_PROT"])
    }

    @Test(arguments: [
        "CHAT_AUTH_MODE", "CHAT_DATABASE_URL", "CHAT_REDIS_URL", "CHAT_LIMIT_POSTS", "CHAT_DRAIN_SECONDS",
    ])
    func `a wrong value names the variable, whichever server uses it`(name: String) async {
        await #expect {
            _ = try await plan(environment: [name: "nonsense"])
        } throws: { error in
            error is ConfigurationError && "\(error)".contains(name)
        }
    }
}
