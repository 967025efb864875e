import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct LoginSecrecyTests {
    @Test func `an unknown user and a wrong password get the same response for the same work`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        try await stack.withServer(.system) { server in
            let system = RESTClient(baseURL: server.url)
            /// How many passwords were hashed so far.
            func hashes() async throws -> Int {
                let line = try await system.get("/metrics").text.split(separator: "\n")
                    .first { $0.hasPrefix("chat_password_hash_seconds_count") }
                return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
            }
            var answers: [RESTResponse] = []
            for (username, password) in [
                (user.username, "wrong password"), (Unique.name("nobody"), "wrong password"),
                (user.username, ""), ("no such name!", ""),
            ] {
                let before = try await hashes()
                answers.append(
                    try await system.post(
                        "/api/v1/auth/login", ["username": .string(username), "password": .string(password)]))
                #expect(try await hashes() == before + 1, "\(username)")
            }
            for answer in answers {
                #expect(answer.status == 401)
                #expect(answer.code == "invalid_credentials")
                #expect(answer.json["detail"] == answers[0].json["detail"])
                #expect(Set(answer.headers.map(\.name)) == Set(answers[0].headers.map(\.name)))
            }
        }
    }
}
