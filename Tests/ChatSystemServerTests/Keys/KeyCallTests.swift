import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct KeyCallTests {
    @Test(arguments: [SharedStack.Mode.token, .trusted])
    func `each call of the servers asks for its scope, and account calls are for no key`(
        mode: SharedStack.Mode
    ) async throws {
        let stack = try await SharedStack.running(mode)
        let owner = try await stack.user()
        let roomID = try await stack.room(of: owner)
        let keys = [
            "users": try await stack.key(.users), "rooms": try await stack.key(.rooms),
            "messages": try await stack.key(.messages), "changes": try await stack.key(.changes),
            "keys": try await stack.key(.keys),
        ]
        let calls: [(RESTClient, String, String?)] = [
            (stack.system, "/api/v1/users?limit=1", "users"), (stack.system, "/api/v1/rooms/\(roomID)", "rooms"),
            (stack.system, "/api/v1/rooms/\(roomID)/members", "rooms"), (stack.system, "/api/v1/rooms/public", "rooms"),
            (stack.messages(0), "/api/v1/rooms/\(roomID)/messages", "messages"),
            (stack.messages(1), "/api/v1/rooms/\(roomID)/events", "messages"),
            (stack.system, "/api/v1/users/me", nil),
        ]
        for (server, path, scope) in calls {
            for (name, key) in keys {
                let answer = try await server.get(path, as: key.credentials)
                #expect(answer.status == (name == scope ? 200 : 403), "\(path) \(name)")
                if answer.status == 403 { #expect(answer.code == "scope") }
            }
        }
        let users = try #require(keys["users"])
        for (method, path) in [("POST", "auth/logout-all"), ("PUT", "users/me/password"), ("PATCH", "users/me")] {
            let answer = try await stack.system.send(.init(method), "/api/v1/\(path)", [:], as: users.credentials)
            #expect(answer.status == 403 && answer.code == "scope", "\(path)")
        }
    }

    @Test(arguments: [SharedStack.Mode.token, .trusted])
    func `a key opens no socket and no stream`(mode: SharedStack.Mode) async throws {
        let stack = try await SharedStack.running(mode)
        let owner = try await stack.user()
        let roomID = try await stack.room("public", of: owner)
        let key = try await stack.key(.users, .rooms, .messages, .changes, .keys)
        let bearer = [("Authorization", "Bearer \(key.text)")]
        for target in ["/ws/chat?roomId=\(roomID)&userId=\(owner.userID)", "/ws/user?userId=\(owner.userID)"] {
            let socket = try await WebSocketTestClient.connect(port: stack.webSocketPort(), target, headers: bearer)
            #expect(try await socket.refusal()?.code == 4401, "\(target)")
            socket.drop()
        }
        for target in ["/sse/chat?roomId=\(roomID)&userId=\(owner.userID)", "/sse/user?userId=\(owner.userID)"] {
            let refused = try await stack.webSocket().get(target, headers: bearer)
            #expect(refused.status == 401, "\(target)")
        }
    }

    @Test(arguments: [SharedStack.Mode.token, .trusted])
    func `a revoked key is refused by every server within five seconds`(mode: SharedStack.Mode) async throws {
        let stack = try await SharedStack.running(mode)
        let roomID = try await stack.room(of: try await stack.user())
        let key = try await stack.key(.rooms, .messages)
        func statuses() async throws -> [Int] {
            [
                try await stack.system.get("/api/v1/rooms/\(roomID)", as: key.credentials).status,
                try await stack.messages(0).get("/api/v1/rooms/\(roomID)/events", as: key.credentials).status,
                try await stack.messages(1).get("/api/v1/rooms/\(roomID)/events", as: key.credentials).status,
            ]
        }
        #expect(try await statuses() == [200, 200, 200])
        try await stack.revoke(key)
        let deadline = ContinuousClock.now + .seconds(30)
        while try await statuses() != [401, 401, 401] {
            try #require(ContinuousClock.now < deadline)
            // There is no event to wait for but the response.
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    // MARK: On behalf of a user

    @Test func `on behalf of a user a call has the user's rights`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let (owner, stranger) = (users[0], users[1])
        let roomID = try await stack.room(of: owner)
        let key = try await stack.key(.rooms, .messages)
        let path = "/api/v1/rooms/\(roomID)"
        func get(_ user: TestUser) async throws -> Int {
            try await stack.system.get(path, as: key.credentials, headers: TestKey.onBehalf(of: user)).status
        }
        #expect(try await get(owner) == 200)
        #expect(try await get(stranger) == 404)
        let post = try await stack.messages().send(
            .post, "/api/v1/messages", SharedStack.post("Hello", in: roomID, key: "one"), as: key.credentials,
            headers: TestKey.onBehalf(of: owner)
        ).require(201, "post")
        #expect(post.json["senderId"] == .integer(owner.userID))
        // The user's own idempotency key: it is the same post.
        let again = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("Hello", in: roomID, key: "one"), as: owner.credentials)
        #expect(again.status == 200 && again.json["messageId"] == post.json["messageId"])
        let refused = try await stack.messages().send(
            .post, "/api/v1/messages", SharedStack.post("Hello", in: roomID), as: key.credentials,
            headers: TestKey.onBehalf(of: stranger))
        #expect(refused.status == 404)
    }

    @Test func `a header that names nobody, names two or comes without a key is refused`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let roomID = try await stack.room(of: owner)
        let key = try await stack.key(.rooms, .messages)
        let path = "/api/v1/rooms/\(roomID)"
        func answer(_ caller: Credentials, _ headers: [(String, String)]) async throws -> RESTResponse {
            try await stack.system.get(path, as: caller, headers: headers)
        }
        let twice = try await answer(key.credentials, TestKey.onBehalf(of: owner) + TestKey.onBehalf(of: owner))
        #expect(twice.status == 400)
        #expect(try await answer(owner.credentials, TestKey.onBehalf(of: owner)).status == 400)
        #expect(try await answer(.none, TestKey.onBehalf(of: owner)).status == 400)
        #expect(try await answer(key.credentials, TestKey.onBehalf(of: "nobody")).status == 400)
        for user in ["9007199254740991", "ext:nobody"] {
            let missing = try await answer(key.credentials, TestKey.onBehalf(of: user))
            #expect(missing.status == 404 && missing.code == "user_not_found")
        }
        // On the way for posts, too, which has no router.
        let post = try await stack.messages().send(
            .post, "/api/v1/messages", SharedStack.post("Hello", in: roomID), as: owner.credentials,
            headers: TestKey.onBehalf(of: owner))
        #expect(post.status == 400)
    }

    // MARK: For the installation

    @Test func `the installation sees and changes every room as an owner, and is in none`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(3)
        let (owner, member, new) = (users[0], users[1], users[2])
        let key = try await stack.key(.rooms, .messages)
        let roomID = try await stack.room("private", of: owner, with: [member])
        let path = "/api/v1/rooms/\(roomID)"
        let caller = key.credentials
        let joining: JSON = ["userId": .integer(new.userID), "role": "admin"]
        #expect(try await stack.system.get(path, as: caller).status == 200)
        #expect(try await stack.system.post("\(path)/members", joining, as: caller).status == 201)
        #expect(
            try await stack.system.send(.patch, "\(path)/members/\(new.userID)", ["role": "member"], as: caller).status
                == 200)
        #expect(try await stack.system.send(.patch, path, ["name": "Renamed"], as: caller).status == 200)
        #expect(try await stack.system.send(.delete, "\(path)/members/\(new.userID)", as: caller).status == 204)
        for (method, call, body) in [
            ("POST", "join", JSON.object([:])), ("POST", "leave", [:]), ("PUT", "read", ["seq": 1]),
        ] {
            let refused = try await stack.system.send(.init(method), "\(path)/\(call)", body, as: caller)
            #expect(refused.status == 403 && refused.code == "forbidden", "\(call)")
        }
        let members = try await stack.system.get("\(path)/members", as: caller).require(200, "members").json
        #expect(members["items"]?.array?.count == 2)
        #expect(try await stack.system.get("/api/v1/rooms", as: caller).json["items"] == [])
        let log = try await stack.log(of: roomID, as: owner)
        #expect(log.count == 4 && log.allSatisfy { $0["actorId"] == 0 })
        #expect(try await stack.system.send(.delete, path, as: caller).status == 200)
    }

    @Test func `a room of the installation has the members that it names and no owner`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let key = try await stack.key(.rooms)
        let members = JSON.array(users.map { .integer($0.userID) })
        let room = try await stack.system.post(
            "/api/v1/rooms", ["name": "Made", "type": "group", "memberIds": members], as: key.credentials
        ).require(201, "make").json
        #expect(room["ownerId"] == nil && room["memberCount"] == 2)
        let direct: JSON = ["type": "direct", "memberIds": members]
        let made = try await stack.system.post("/api/v1/rooms", direct, as: key.credentials).require(201, "direct")
        let again = try await stack.system.post("/api/v1/rooms", direct, as: key.credentials).require(200, "again")
        #expect(made.json["roomId"] == again.json["roomId"])
    }
}
