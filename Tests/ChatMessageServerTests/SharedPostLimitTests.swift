import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct SharedPostLimitTests {
    /// Two servers of `2/m`, so that a user may post ten times at once, and a Redis of their own.
    private struct Pair: Sendable {
        let stack: SharedStack
        let servers: [LocalServer]
        let roomID = Unique.name("shared")
        /// The users who have posted.
        let users = EventCollector<Int64>()

        func post(_ index: Int, as user: TestUser) async throws -> RESTResponse {
            try await RESTClient(baseURL: servers[index % 2].url)
                .post("/api/v1/messages", SharedStack.post("Hello", in: roomID), as: user.credentials)
        }

        func newUser() async throws -> TestUser {
            let user = try await stack.user()
            users.append(user.userID)
            return user
        }

        /// How many of twenty posts of a new user are accepted.
        func accepted(_ servers: @Sendable (Int) -> Int = { $0 }) async throws -> Int {
            let user = try await newUser()
            var count = 0
            for number in 0..<20 where try await post(servers(number), as: user).status == 201 { count += 1 }
            return count
        }

        /// The answers to forty posts of a new user at once.
        func answersAtOnce() async throws -> [RESTResponse] {
            let user = try await newUser()
            return try await withThrowingTaskGroup(of: RESTResponse.self) { group in
                for number in 0..<40 { group.addTask { try await post(number, as: user) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }

        private func lines(_ index: Int, with text: String) throws -> Int {
            try String(contentsOfFile: servers[index].configuration.logFile, encoding: .utf8).ranges(of: text).count
        }

        /// How often a server has begun to count alone.
        private func failures(_ index: Int) throws -> Int {
            try lines(index, with: "Limits are counted by this process alone")
        }

        /// Measures while both servers share their limits all the time. One that gets a reply of Redis too late, on a busy
        /// machine, counts alone for a while; then this measures again.
        func whileShared<Value: Sendable>(_ measure: @Sendable () async throws -> Value) async throws -> Value {
            let deadline = ContinuousClock.now + .seconds(50)
            while true {
                try await untilShared()
                let before = try servers.indices.map { try failures($0) }
                let value = try await measure()
                if try servers.indices.map({ try failures($0) }) == before { return value }
                try #require(ContinuousClock.now < deadline, "limits are not shared for long enough")
            }
        }

        func acceptedWhileShared() async throws -> Int {
            try await whileShared { () async throws -> Int in try await accepted() }
        }

        func untilShared() async throws {
            let deadline = ContinuousClock.now + .seconds(30)
            for index in servers.indices {
                while try failures(index) > lines(index, with: "Limits are shared with other instances again") {
                    try #require(ContinuousClock.now < deadline, "limits are not shared")
                    _ = try await post(index, as: newUser())
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
        }
    }

    private func withPair(_ body: @Sendable (Pair, LocalRedis) async throws -> Void) async throws {
        let stack = try await SharedStack.running(.trusted)
        let redis = try await LocalRedis.ephemeral()
        do {
            let settings = ["CHAT_LIMIT_POSTS": "2/m", "CHAT_REDIS_URL": redis.url]
            try await stack.withServer(.message, settings) { one async throws in
                try await stack.withServer(.message, settings) { other async throws in
                    try await body(Pair(stack: stack, servers: [one, other]), redis)
                }
            }
        } catch {
            try? await redis.stop()
            throw error
        }
        try await redis.stop()
    }

    @Test func `two instances admit as much as one, in turn, at once and after SCRIPT FLUSH`() async throws {
        try await withPair { pair, redis async throws in
            let commands = RedisPublisher(port: redis.port)
            #expect(try await pair.acceptedWhileShared() == 10)
            let flushed = try await pair.whileShared { () async throws -> Int in
                #expect(try await commands.command("SCRIPT", "FLUSH").hasPrefix("+OK"))
                return try await pair.accepted { $0 / 10 }
            }
            #expect(flushed == 10)

            let answers = try await pair.whileShared { () async throws -> [RESTResponse] in
                try await pair.answersAtOnce()
            }
            #expect(answers.count { $0.status == 201 } == 10)
            for answer in answers where answer.status != 201 {
                #expect(answer.status == 429)
                #expect((1...30).contains(answer.header("Retry-After").flatMap { Int($0) } ?? 0))
            }
            // Nobody is named in the keys, and they end by themselves.
            let keys = try await commands.command("KEYS", "chat:limit:posts:*")
            let users = pair.users.all
            // Of a user who was measured in vain there need be none.
            #expect((3...users.count).contains(Int(keys.dropFirst().prefix { $0.isNumber }) ?? 0))
            #expect(!users.contains { keys.contains(":\($0)") })
            let lifetime = try await commands.command(
                "EVAL", "return redis.call('PTTL', redis.call('KEYS', 'chat:limit:*')[1])", "0")
            #expect(Int(lifetime.dropFirst().dropLast(1)).map { (1...300_000).contains($0) } == true)
        }
    }

    @Test func `without Redis each instance counts alone, and with Redis they count together again`() async throws {
        try await withPair { pair, redis async throws in
            #expect(try await pair.acceptedWhileShared() == 10)
            try await redis.kill()
            #expect(try await pair.accepted() == 20)
            try await redis.start()
            #expect(try await pair.acceptedWhileShared() == 10)

            // A Redis that does not respond delays requests by its timeout, once.
            await redis.pause()
            let start = ContinuousClock.now
            let accepted = try await pair.accepted()
            await redis.resume()
            #expect(accepted == 20)
            #expect(ContinuousClock.now - start < .seconds(30))
        }
    }
}
