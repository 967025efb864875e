import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct ErasureTests {
    @Test func `an erased user is signed out, out of its rooms, and without names`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        let externalID = Unique.name("ext")
        let people = try await stack.users(2)
        let (erased, other) = (people[0], people[1])
        // Registered with a password; it gets an external id of its own below, as another user.
        let managed =
            try await stack.system.send(
                .put, "/api/v1/admin/users/\(externalID)", ["displayName": "Nearly gone"], as: key.credentials
            ).require(201, "put").json["userId"]?.int ?? 0
        let owned = try await stack.room(of: erased, with: [other])
        let alone = try await stack.room("public", of: erased)
        let direct =
            try await stack.system.post(
                "/api/v1/rooms", ["type": "direct", "memberIds": [.integer(other.userID)]], as: erased.credentials
            ).require(201, "direct").json["roomId"]?.string ?? ""
        let post = try await stack.say("I was here", in: owned, as: erased)
        try await stack.say("Me too", in: owned, as: other)
        let signIn = SignIn(stack, erased, owned)
        let sockets = try await signIn.sockets()
        let path = "/api/v1/admin/users/\(erased.userID)"
        for _ in 1...2 {
            #expect(try await stack.system.send(.delete, path, as: key.credentials).status == 204)
        }
        try await SignIn.expectClosed(sockets)
        try await signIn.isRefused()
        #expect(try await signIn.refresh().status == 401)
        let login: JSON = ["username": .string(erased.username), "password": .string(erased.password)]
        #expect(try await stack.system.post("/api/v1/auth/login", login).status == 401)

        let profile = try await stack.system.get("/api/v1/users/\(erased.userID)", as: other.credentials)
        #expect(profile.json == ["userId": .integer(erased.userID), "isErased": true])
        let found = try await stack.system.get("/api/v1/users?query=\(erased.username)", as: other.credentials).json
        #expect(found["items"] == [])
        // The room has passed on, with events; the message stays.
        let log = try await stack.log(of: owned, as: other)
        #expect(log.suffix(2).map { $0["eventType"] } == ["member_left", "member_role_changed"])
        #expect(log.suffix(2).allSatisfy { $0["actorId"] == 0 })
        #expect(log[0]["messageId"] == post["messageId"] && log[0]["senderId"] == .integer(erased.userID))
        #expect(try await stack.room(alone, as: other)["archivedAt"] != nil)
        #expect(try await stack.room(direct, as: other)["memberCount"] == 2)
        // The username is free again.
        #expect(try await stack.system.post("/api/v1/auth/register", login).status == 201)

        // By external id: again it is 204, and the id is a new user's.
        for _ in 1...2 {
            let answer = try await stack.system.send(
                .delete, "/api/v1/admin/users/ext:\(externalID)", as: key.credentials)
            #expect(answer.status == 204)
        }
        let next = try await stack.system.send(
            .put, "/api/v1/admin/users/\(externalID)", [:], as: key.credentials
        ).require(201, "put again").json["userId"]?.int
        #expect(next != managed)
        for call in ["tokens", "sign-out"] {
            #expect(try await stack.system.send(.post, "\(path)/\(call)", as: key.credentials).status == 404)
        }
        #expect(
            try await stack.system.send(.delete, "/api/v1/admin/users/9007199254740991", as: key.credentials).status
                == 404)
        let room: JSON = ["name": "x", "type": "group", "memberIds": [.integer(erased.userID)]]
        #expect(try await stack.system.post("/api/v1/rooms", room, as: other.credentials).fields == ["memberIds"])
    }
}
