import ChatLocalStack
import ChatStorage
import ChatTestSupport
import CommonUtil
import Testing

@testable import ChatMessageServer

/// The feed of changes over HTTP, on a whole stack.
@Suite(.timeLimit(.minutes(2))) struct ChangeRouteTests {
    private func get(
        _ stack: SharedStack, _ query: String, _ key: TestKey, server: Int = 0
    ) async throws -> RESTResponse {
        try await stack.messages(server).get("/api/v1/changes?\(query)", as: key.credentials)
    }

    /// Reads a room's events from the beginning, as soon as there are `count`.
    private func read(
        _ count: Int, of roomID: String, _ stack: SharedStack, _ key: TestKey, server: Int = 0
    ) async throws -> [JSON] {
        var events: [JSON] = []
        var after = "begin"
        let deadline = ContinuousClock.now + .seconds(60)
        while events.count < count {
            try #require(ContinuousClock.now < deadline, "\(events)")
            let page = try await get(stack, "after=\(after)&wait=5&roomId=\(roomID)", key, server: server)
                .require(200, "changes").json
            events += (page["items"]?.array ?? []).compactMap { $0["event"] }
            after = page["next"]?.string ?? ""
        }
        return events
    }

    @Test(arguments: SharedStack.Mode.allCases)
    func `a backend reads a room from its creation on, on any server`(mode: SharedStack.Mode) async throws {
        let stack = try await SharedStack.running(mode)
        let key = try await stack.key(.changes)
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: owner, with: [member])
        for number in 1...3 { try await stack.say("\(number)", in: roomID, as: owner, server: number) }
        for server in 0...1 {
            let events = try await read(4, of: roomID, stack, key, server: server)
            #expect(events.map { $0["eventType"] } == ["room_created", "message", "message", "message"])
            #expect(events[0]["memberCount"] == 2)
            #expect(events[0]["actorId"] == .integer(owner.userID))
            // The same as in the room's log, but for the creation.
            #expect(try await Array(events[1...]) == stack.log(of: roomID, as: owner))
        }
    }

    @Test func `a call that waits gets the first event that fits`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.changes)
        let owner = try await stack.user()
        let roomID = try await stack.room(of: owner)
        _ = try await read(1, of: roomID, stack, key)
        let now = try await get(stack, "after=now", key).require(200, "now").json["next"]?.string ?? ""
        let waiting = Task {
            try await get(stack, "after=\(now)&wait=60&roomId=\(roomID)&eventType=message&eventType=room_archived", key)
        }
        try await stack.say("Hello", in: roomID, as: owner)
        let page = try await waiting.value.require(200, "wait").json
        #expect(page["items"]?.array?.map { $0["event"]?["seq"] } == [1])
        #expect(page["items"]?[0]?["cursor"]?.string != nil && page["next"]?.string != now)
    }

    @Test func `a call that waits ends when its key is revoked`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.changes)
        let waiting = Task { try await get(stack, "after=now&wait=60&roomId=\(Unique.name("none"))", key) }
        // The key has to be in use before it is revoked.
        #expect(try await get(stack, "after=now", key).status == 200)
        try await stack.revoke(key)
        #expect(try await waiting.value.status == 401)
    }

    @Test func `a cursor of another feed is 409, also for a call that would wait`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.changes)
        let owner = try await stack.user()
        _ = try await read(1, of: try await stack.room(of: owner), stack, key)
        let foreign = ChangeCursor.text(of: ChangePosition(run: 1, seq: 1, mark: 77))
        for query in ["after=\(foreign)", "after=\(foreign)&wait=60&roomId=\(Unique.name("none"))"] {
            let answer = try await get(stack, query, key)
            #expect(answer.status == 409 && answer.code == "cursor_unknown")
        }
    }

    @Test func `twenty calls of a key wait at a time, and others beside them are answered`() async throws {
        let stack = try await SharedStack.running()
        let (key, other) = (try await stack.key(.changes), try await stack.key(.changes))
        let owner = try await stack.user()
        let roomID = try await stack.room(of: owner)
        _ = try await read(1, of: roomID, stack, key)
        let now = try await get(stack, "after=now", key).require(200, "now").json["next"]?.string ?? ""
        let query = "after=\(now)&wait=60&roomId=\(roomID)"
        try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            // One too many: whichever comes last is refused at once.
            for _ in 1...21 { group.addTask { try await get(stack, query, key) } }
            let refused = try await group.next()
            #expect(refused?.status == 429 && refused?.code == "rate_limited")
            #expect(refused?.header("Retry-After") != nil)
            // Those that do not wait, and another key's, are not counted with them.
            #expect(try await get(stack, "after=now", key).status == 200)
            group.addTask { try await get(stack, query, other) }
            try await stack.say("Hello", in: roomID, as: owner)
            for try await answer in group {
                #expect(answer.status == 200 && answer.json["items"]?.array?.count == 1)
            }
        }
    }

    @Test func `calls whose clients have left give their places back`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.changes)
        let query = "after=now&roomId=\(Unique.name("none"))"
        var connections: [RawConnection] = []
        for _ in 1...21 {
            let connection = try await RawConnection(port: stack.processes.messageServers[0].port)
            try await connection.send(
                "GET /api/v1/changes?\(query)&wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key.text)\r\n\r\n")
            connections.append(connection)
        }
        try await withThrowingTaskGroup(of: String.self) { group in
            for connection in connections { group.addTask { try await connection.next() } }
            // One too many: the other twenty wait.
            #expect(try await group.next()?.hasPrefix("HTTP/1.1 429") == true)
            let start = ContinuousClock.now
            for connection in connections { await connection.close() }
            try await FileFixture.wait(for: 200) { try await get(stack, query + "&wait=1", key) }
            #expect(ContinuousClock.now - start < .seconds(20))
        }
    }

    @Test func `only a key with the scope reads the feed and has webhooks, and only for the installation`() async throws
    {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let wrong = try await stack.key(.users, .rooms, .messages, .keys)
        let key = try await stack.key(.changes)
        for (method, path) in [
            ("GET", "changes?after=begin"), ("POST", "webhooks"), ("GET", "webhooks"), ("GET", "webhooks/x"),
            ("PATCH", "webhooks/x"), ("DELETE", "webhooks/x"), ("POST", "webhooks/x/pause"),
            ("POST", "webhooks/x/resume"), ("POST", "webhooks/x/replay"), ("GET", "webhooks/x/deliveries"),
        ] {
            func status(_ caller: ChatTestSupport.Credentials, _ headers: [(String, String)] = []) async throws
                -> String
            {
                let answer = try await stack.messages().send(
                    .init(method), "/api/v1/\(path)", as: caller, headers: headers)
                return "\(answer.status) \(answer.code ?? "")"
            }
            #expect(try await status(.none) == "401 missing_token", "\(method) \(path)")
            #expect(try await status(user.credentials) == "403 scope", "\(method) \(path)")
            #expect(try await status(wrong.credentials) == "403 scope", "\(method) \(path)")
            #expect(try await status(.token("chat_" + String(repeating: "A", count: 43))) == "401 invalid_token")
            #expect(
                try await status(key.credentials, TestKey.onBehalf(of: user)) == "403 forbidden", "\(method) \(path)")
        }
    }

    @Test(arguments: [
        ("", "after"), ("after=", "after"), ("after=x", "after"), ("after=begin&limit=0", "limit"),
        ("after=begin&limit=1001", "limit"), ("after=begin&wait=61", "wait"), ("after=begin&wait=-1", "wait"),
        ("after=begin&roomId=..", "roomId"), ("after=begin&roomId=a&roomId=", "roomId"),
        ("after=begin&eventType=typing", "eventType"), ("after=begin&after=begin", "after"),
        ("after=begin" + String(repeating: "&roomId=a", count: 101), "roomId"),
    ])
    func `a wrong parameter is 422`(query: String, field: String) async throws {
        let stack = try await SharedStack.running()
        let answer = try await get(stack, query, try await stack.key(.changes))
        #expect(answer.status == 422)
        #expect(answer.fields == [field])
    }

    @Test func `a webhook is made, changed and removed, and its secret is shown once`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.changes)
        let path = "/api/v1/webhooks"
        let room = Unique.name("none")
        let made = try await stack.messages().post(
            path, ["url": "https://1.1.1.1/x", "roomIds": [.string(room)]], as: key.credentials
        ).require(201, "webhook").json
        #expect(made["secret"]?.string?.hasPrefix("whsec_") == true)
        #expect(made["state"] == "active" && made["roomIds"] == [.string(room)] && made["eventTypes"] == nil)
        let one = "\(path)/\(made["webhookId"]?.string ?? "")"
        let shown = try await stack.messages(1).get(one, as: key.credentials).require(200, "get").json
        #expect(shown == made.without("secret"))
        // It outlives the key.
        let other = try await stack.key(.changes)
        try await stack.revoke(key)
        let paused = try await stack.messages().send(.post, one + "/pause", as: other.credentials).json
        #expect(paused["state"] == "paused" && paused["pausedBecause"] == "asked")
        let changed = try await stack.messages().send(
            .patch, one, ["url": "https://1.0.0.1/y", "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
            as: other.credentials
        ).require(200, "patch").json
        #expect(changed["url"] == "https://1.0.0.1/y" && changed["secret"] == nil)
        // A filter is taken away by `null` alone.
        let types: JSON = ["eventTypes": ["room_archived"]]
        let filtered = try await stack.messages().send(.patch, one, types, as: other.credentials).json
        #expect(filtered["eventTypes"] == ["room_archived"] && filtered["roomIds"] == [.string(room)])
        let open = try await stack.messages().send(.patch, one, ["roomIds": nil], as: other.credentials).json
        #expect(open["eventTypes"] == ["room_archived"] && open["roomIds"] == nil)
        let all = try await stack.messages().send(.patch, one, ["eventTypes": nil], as: other.credentials)
        #expect(all.status == 200 && all.json["eventTypes"] == nil)
        for url in [
            "http://1.1.1.1/", "https://127.0.0.1/", "https://localhost/", "https://a:b@1.1.1.1/", "ftp://1.1.1.1/",
        ] {
            let refused = try await stack.messages().send(.patch, one, ["url": .string(url)], as: other.credentials)
            #expect(refused.status == 422 && refused.code == "webhook_address", "\(url)")
        }
        #expect(
            try await stack.messages().send(.post, one + "/resume", as: other.credentials).json["state"] == "active")
        #expect(try await stack.messages().send(.delete, one, as: other.credentials).status == 204)
        #expect(try await stack.messages().get(one, as: other.credentials).code == "webhook_not_found")
    }
}
