import ChatLocalStack
import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ChangeLimitTests {
    private func expectLimited(_ answer: RESTResponse) throws {
        #expect(answer.status == 429)
        #expect(answer.code == "rate_limited")
        #expect((1...60).contains(try #require(answer.header("Retry-After").flatMap { Int($0) })))
    }

    @Test func `changes of rooms, members and names count together on all instances, apart from read marks`()
        async throws
    {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let (user, other) = (users[0], users[1])
        let roomID = try await stack.room("public", of: user)
        let path = "/api/v1/rooms/\(roomID)"
        let limits = ["CHAT_LIMIT_CHANGES": "2/m"]
        try await stack.withServer(.system, limits) { one async throws in
            try await stack.withServer(.system, limits) { two async throws in
                let systems = [RESTClient(baseURL: one.url), RESTClient(baseURL: two.url)]
                let changes: [(RESTClient.Method, String, JSON?)] = [
                    (.post, "/api/v1/rooms", ["name": "x", "type": "group"]), (.patch, path, ["name": "x"]),
                    (.delete, path, nil), (.post, "\(path)/members", ["userId": .integer(other.userID)]),
                    (.patch, "\(path)/members/\(other.userID)", ["role": "admin"]),
                    (.delete, "\(path)/members/\(other.userID)", nil), (.post, "\(path)/join", nil),
                    (.post, "\(path)/leave", nil), (.patch, "/api/v1/users/me", ["displayName": "x"]),
                ]
                func change(_ index: Int, as user: TestUser, at server: Int) async throws -> RESTResponse {
                    let (method, path, body) = changes[index]
                    guard let body else { return try await systems[server].send(method, path, as: user.credentials) }
                    return try await systems[server].send(method, path, body, as: user.credentials)
                }
                // What fails for another reason counts, too.
                for index in 0..<9 { #expect(try await change(index, as: user, at: index % 2).status != 429) }
                #expect(try await change(8, as: user, at: 0).status == 200)
                for index in changes.indices { try expectLimited(try await change(index, as: user, at: index % 2)) }
                #expect(try await change(8, as: other, at: 0).status == 200)

                for _ in 0..<10 {
                    let read = try await systems[0].send(
                        .put, "\(path)/read", ["seq": 0], as: other.credentials)
                    #expect(read.status == 403)
                }
                try expectLimited(
                    try await systems[0].send(.put, "\(path)/read", ["seq": 0], as: other.credentials))
                #expect(try await change(8, as: other, at: 0).status == 200)
                #expect(try await systems[0].get("/api/v1/users/me", as: user.credentials).status == 200)
                let metrics = try await systems[0].get("/metrics").text
                #expect(metrics.contains(#"chat_rate_limited_total{limit="changes"} 5"#))
                #expect(metrics.contains(#"chat_rate_limited_total{limit="read_marks"} 1"#))
            }
        }
    }

    @Test func `reads count by user, anonymous ones by address, on both servers; health does not count`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let roomID = try await stack.room(of: users[0], with: [users[1]])
        let limits = ["CHAT_LIMIT_READS": "1/m", "CHAT_TRUSTED_PROXIES": "127.0.0.0/8"]
        let reads: [(ServerKind, [String], String)] = [
            (.system, ["users/me", "users", "rooms", "rooms/public", "rooms/\(roomID)/members"], "/openapi.yaml"),
            (.message, ["rooms/\(roomID)/messages", "rooms/\(roomID)/events"], "/docs"),
        ]
        for (kind, paths, openPath) in reads {
            try await stack.withServer(kind, limits) { server async throws in
                let client = RESTClient(baseURL: server.url)
                for index in 0..<5 {
                    let path = "/api/v1/\(paths[index % paths.count])"
                    #expect(try await client.get(path, as: users[0].credentials).status == 200)
                }
                for path in paths {
                    try expectLimited(try await client.get("/api/v1/\(path)", as: users[0].credentials))
                }
                #expect(try await client.get("/api/v1/\(paths[0])", as: users[1].credentials).status == 200)

                func open(from address: String) async throws -> RESTResponse {
                    try await client.send(.get, openPath, headers: [("X-Forwarded-For", address)])
                }
                for number in 1...5 { #expect(try await open(from: "2001:db8::\(number)").status == 200) }
                try expectLimited(try await open(from: "2001:db8::99"))
                #expect(try await open(from: "2001:db8:0:1::1").status == 200)
                for path in ["/health/live", "/health/ready", "/metrics"] {
                    // A check of readiness may fail on a busy machine.
                    let allowed = path == "/health/ready" ? [200, 503] : [200]
                    for _ in 0..<6 { #expect(allowed.contains(try await client.get(path).status)) }
                }
            }
        }
    }

    @Test func `refreshes and logouts count by address, whatever the token`() async throws {
        let stack = try await SharedStack.running()
        let limits = ["CHAT_LIMIT_REFRESHES": "1/m", "CHAT_TRUSTED_PROXIES": "127.0.0.0/8"]
        try await stack.withServer(.system, limits) { server in
            let system = RESTClient(baseURL: server.url)
            func send(_ path: String, from address: String) async throws -> RESTResponse {
                try await system.send(
                    .post, "/api/v1/auth/\(path)", ["refreshToken": "unknown"], headers: [("X-Forwarded-For", address)])
            }
            for _ in 0..<4 { #expect(try await send("refresh", from: "192.0.2.1").status == 401) }
            #expect(try await send("logout", from: "192.0.2.1").status == 204)
            for path in ["refresh", "logout"] { try expectLimited(try await send(path, from: "192.0.2.1")) }
            #expect(try await send("refresh", from: "192.0.2.2").status == 401)
        }
    }
}
