import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AccountLimitTests {
    private static func account(_ username: String, _ password: String = SharedStack.password) -> JSON {
        ["username": .string(username), "password": .string(password)]
    }

    private func expectLimited(_ answer: RESTResponse) throws {
        #expect(answer.status == 429)
        #expect(answer.code == "rate_limited")
        #expect((1...60).contains(try #require(answer.header("Retry-After").flatMap { Int($0) })))
    }

    @Test func `logins to one account count in whatever case, right or wrong, known or not`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        try await stack.withServer(.system, ["CHAT_LIMIT_LOGINS_PER_ACCOUNT": "1/m"]) { server in
            let system = RESTClient(baseURL: server.url)
            for name in [user.username, Unique.name("nobody")] {
                let isKnown = name == user.username
                for round in 0..<5 {
                    let answer = try await system.post(
                        "/api/v1/auth/login", Self.account(round % 2 == 0 ? name : name.uppercased()))
                    #expect(answer.status == (isKnown ? 200 : 401))
                }
                try expectLimited(try await system.post("/api/v1/auth/login", Self.account(name)))
                try expectLimited(try await system.post("/api/v1/auth/login", Self.account(name.uppercased(), "x")))
            }
            let metrics = try await system.get("/metrics").text
            #expect(metrics.contains(#"chat_rate_limited_total{limit="logins_per_account"} 4"#))
        }
    }

    @Test func `other addresses do not lock out a known one, and share a limit`() async throws {
        let stack = try await SharedStack.running()
        let limits = ["CHAT_LIMIT_LOGINS_PER_ACCOUNT": "1/m", "CHAT_TRUSTED_PROXIES": "127.0.0.0/8"]
        try await stack.withServer(.system, limits) { server in
            let system = RESTClient(baseURL: server.url)
            let name = Unique.name("u")
            func send(
                _ path: String, from address: String, _ password: String = SharedStack.password
            ) async throws -> RESTResponse {
                try await system.send(
                    .post, "/api/v1/auth/\(path)", Self.account(name, password),
                    headers: [("X-Forwarded-For", address)])
            }
            try await send("register", from: "192.0.2.1").require(201, "register")
            try await send("login", from: "2001:db8::1").require(200, "login")
            // Each stranger's address has five tries, all of one `/64` together.
            for number in 0..<5 {
                #expect(try await send("login", from: "2001:db8:0:1::\(number)", "wrong").status == 401)
            }
            try expectLimited(try await send("login", from: "2001:db8:0:1::9"))
            #expect(try await send("login", from: "198.51.100.1").status == 200)
            // Ten times as many for all of them: 50, of which seven are gone.
            for number in 0..<43 {
                #expect(try await send("login", from: "203.0.113.\(number)", "wrong").status == 401)
            }
            // One more every six seconds, of which a busy machine may have taken some.
            var beyond = try await send("login", from: "203.0.113.99", "wrong")
            for number in 100..<120 where beyond.status == 401 {
                beyond = try await send("login", from: "203.0.113.\(number)", "wrong")
            }
            try expectLimited(beyond)
            for address in ["2001:db8::1", "2001:db8::2", "198.51.100.1"] {
                #expect(try await send("login", from: address).status == 200, "\(address)")
            }
            let metrics = try await system.get("/metrics").text
            #expect(metrics.contains(#"chat_rate_limited_total{limit="logins_from_strangers"} 1"#))
        }
    }

    @Test func `the burst of logins and registrations is five times the rate`() async throws {
        let stack = try await SharedStack.running()
        let limits = [
            "CHAT_LIMIT_LOGINS_PER_ADDRESS": "3/m", "CHAT_LIMIT_REGISTRATIONS": "3/m",
            "CHAT_TRUSTED_PROXIES": "127.0.0.0/8",
        ]
        // Whose buckets no other test has taken from.
        let headers = [("X-Forwarded-For", "198.18.0.1")]
        try await stack.withServer(.system, limits) { server in
            let system = RESTClient(baseURL: server.url)
            for path in ["login", "register"] {
                var accepted = 0
                let start = ContinuousClock.now
                while try await system.send(
                    .post, "/api/v1/auth/\(path)", Self.account(Unique.name("u")), headers: headers
                ).status != 429 { accepted += 1 }
                // One more comes every twenty seconds.
                let more = Int((ContinuousClock.now - start) / .seconds(20)) + 1
                #expect((15...15 + more).contains(accepted), "\(path)")
            }
        }
    }

    @Test func `logins and registrations count by address, which only a trusted proxy may report`() async throws {
        let stack = try await SharedStack.running()
        let limits = [
            "CHAT_LIMIT_LOGINS_PER_ADDRESS": "1/m", "CHAT_LIMIT_REGISTRATIONS": "1/m",
            "CHAT_TRUSTED_PROXIES": "127.0.0.0/8",
        ]
        try await stack.withServer(.system, limits) { server in
            let system = RESTClient(baseURL: server.url)
            func send(_ path: String, from address: String) async throws -> RESTResponse {
                try await system.send(
                    .post, "/api/v1/auth/\(path)", Self.account(Unique.name("u")),
                    headers: [("X-Forwarded-For", address)])
            }
            for (path, status) in [("login", 401), ("register", 201)] {
                for address in ["192.0.2.1", "192.0.2.2"] {
                    for _ in 0..<5 { #expect(try await send(path, from: address).status == status) }
                    try expectLimited(try await send(path, from: address))
                    // What stands before the proxy's own entry is anybody's word.
                    try expectLimited(try await send(path, from: "198.51.100.7, \(address)"))
                }
            }
        }
        try await stack.withServer(.system, ["CHAT_LIMIT_REGISTRATIONS": "1/m"]) { server in
            let system = RESTClient(baseURL: server.url)
            var statuses: [Int] = []
            for number in 0..<6 {
                statuses.append(
                    try await system.send(
                        .post, "/api/v1/auth/register", Self.account(Unique.name("u")),
                        headers: [("X-Forwarded-For", "192.0.2.\(number)")]
                    ).status)
            }
            #expect(statuses == [201, 201, 201, 201, 201, 429])
        }
    }
}
