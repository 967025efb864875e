import ChatLocalStack
import ChatTestSupport
import Testing

/// Nobody is kept in rooms, put into rooms or made the owner of rooms against their will.
@Suite(.timeLimit(.minutes(2))) struct AddingTests {
    private let stack: SharedStack

    init() async throws { stack = try await SharedStack.running() }

    private func add(_ user: TestUser, to roomID: String, as actor: TestUser) async throws -> RESTResponse {
        try await stack.system.post(
            "/api/v1/rooms/\(roomID)/members", ["userId": .integer(user.userID)], as: actor.credentials)
    }

    private func make(_ type: String, with user: TestUser, as maker: TestUser) async throws -> RESTResponse {
        try await stack.system.post(
            "/api/v1/rooms", ["name": "A room", "type": .string(type), "memberIds": [.integer(user.userID)]],
            as: maker.credentials)
    }

    private func leave(_ roomID: String, as user: TestUser) async throws {
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/leave", as: user.credentials)
            .require(204, "leave")
    }

    private func set(_ whoMayAdd: String, of user: TestUser) async throws {
        let changed = try await stack.system.send(
            .patch, "/api/v1/users/me", ["whoMayAdd": .string(whoMayAdd)], as: user.credentials
        ).require(200, "whoMayAdd")
        #expect(changed.json["whoMayAdd"] == .string(whoMayAdd))
    }

    @Test func `rooms that a user is added to by others do not count against that user`() async throws {
        let users = try await stack.users(2)
        let (attacker, victim) = (users[0], users[1])
        try await stack.withServer(.system, ["CHAT_LIMIT_ROOMS_PER_USER": "3"]) { server in
            let system = RESTClient(baseURL: server.url)
            func make(_ members: [TestUser], by maker: TestUser) async throws -> RESTResponse {
                try await system.post(
                    "/api/v1/rooms",
                    ["name": "x", "type": "group", "memberIds": .array(members.map { .integer($0.userID) })],
                    as: maker.credentials)
            }
            var rooms: [String] = []
            for _ in 0..<3 {
                rooms.append(try await make([victim], by: attacker).require(201, "make").json["roomId"]?.string ?? "")
            }
            #expect(try await make([], by: victim).status == 201)
            for roomID in rooms {
                try await system.send(.post, "/api/v1/rooms/\(roomID)/leave", as: attacker.credentials)
                    .require(204, "leave")
                // What is left behind is nobody's, and still counts against who made it.
                #expect(try await stack.room(roomID, as: victim)["ownerId"] == nil)
            }
            #expect(try await make([], by: attacker).code == "too_many_rooms")
        }
    }

    @Test func `a user who left is added again only by joining; a removed one can be added`() async throws {
        let users = try await stack.users(2)
        let (owner, guest) = (users[0], users[1])
        for type in ["group", "public"] {
            let roomID = try await stack.room(type, of: owner, with: [guest])
            try await leave(roomID, as: guest)
            let refused = try await add(guest, to: roomID, as: owner)
            #expect(refused.status == 409)
            #expect(refused.code == "left_room")
            guard type == "public" else { continue }
            let path = "/api/v1/rooms/\(roomID)"
            try await stack.system.send(.post, "\(path)/join", as: guest.credentials).require(200, "join")
            try await stack.system.send(.delete, "\(path)/members/\(guest.userID)", as: owner.credentials)
                .require(204, "remove")
            #expect(try await add(guest, to: roomID, as: owner).status == 201)
        }
    }

    @Test func `whoMayAdd is everyone, shared or nobody; it also applies to new direct rooms`() async throws {
        let users = try await stack.users(3)
        let (user, friend, stranger) = (users[0], users[1], users[2])
        let me = try await stack.system.get("/api/v1/users/me", as: user.credentials).json
        #expect(me["whoMayAdd"] == "everyone")
        let seen = try await stack.system.get("/api/v1/users/\(user.userID)", as: friend.credentials).json
        #expect(seen["whoMayAdd"] == nil)
        let common = try await stack.room("public", of: friend)
        let own = try await stack.room(of: stranger)
        let direct = try await make("direct", with: user, as: friend).require(201, "direct").json["roomId"]
        func expectRefused(_ answer: RESTResponse) {
            #expect(answer.status == 403, "\(answer)")
            #expect(answer.code == "not_addable")
        }

        try await set("nobody", of: user)
        for type in ["group", "public", "private", "direct"] {
            expectRefused(try await make(type, with: user, as: stranger))
        }
        expectRefused(try await add(user, to: own, as: stranger))
        expectRefused(try await add(user, to: common, as: friend))
        #expect(try await make("direct", with: user, as: friend).status == 200)
        // By oneself one comes in.
        try await stack.system.send(.post, "/api/v1/rooms/\(common)/join", as: user.credentials).require(200, "join")

        try await set("shared", of: user)
        expectRefused(try await make("direct", with: user, as: stranger))
        #expect(try await make("group", with: user, as: friend).status == 201)
        try await stack.system.send(.post, "/api/v1/rooms/\(common)/join", as: stranger.credentials)
            .require(200, "join")
        #expect(try await add(user, to: own, as: stranger).status == 201)

        try await set("everyone", of: user)
        let later = try await stack.user()
        #expect(try await make("direct", with: user, as: later).status == 201)
        #expect(direct != nil)
    }

    @Test func `PATCH on users-me takes either field, and needs one`() async throws {
        let user = try await stack.user()
        func patch(_ body: JSON) async throws -> RESTResponse {
            try await stack.system.send(.patch, "/api/v1/users/me", body, as: user.credentials)
        }
        let both = try await patch(["displayName": "Ann", "whoMayAdd": "shared"]).require(200, "both").json
        #expect(both.keys == ["userId", "username", "displayName", "createdAt", "whoMayAdd"])
        #expect(both["displayName"] == "Ann")
        #expect(try await patch(["displayName": "Anna"]).json["whoMayAdd"] == "shared")
        #expect(try await stack.system.get("/api/v1/users/me", as: user.credentials).json["displayName"] == "Anna")
        for (body, field) in [
            ([:], "displayName"), (["whoMayAdd": .null], "displayName"), (["whoMayAdd": "friends"], "whoMayAdd"),
            (["whoMayAdd": 1], "whoMayAdd"),
        ] as [(JSON, String)] {
            let refused = try await patch(body)
            #expect(refused.status == 422)
            #expect(refused.fields == [field])
        }
    }

    @Test func `in trusted mode unregistered users can be added by everyone`() async throws {
        let trusted = try await SharedStack.running(.trusted)
        let (maker, other) = (try await trusted.user(), try await trusted.user())
        let roomID = try await trusted.room(of: maker, with: [other])
        #expect(try await trusted.room(roomID, as: other)["memberCount"] == 2)
    }
}
