import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct KeyPostTests {
    private func body(
        _ text: String, in roomID: String, _ more: [String: JSON] = [:], type: String = "text"
    ) -> JSON {
        .object(
            [
                "roomId": .string(roomID), "messageType": .string(type), "payload": ["text": .string(text)],
            ].merging(more) { $1 })
    }

    @Test func `the installation posts system messages, and messages in any user's name`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let (owner, stranger) = (users[0], users[1])
        let roomID = try await stack.room(of: owner)
        let key = try await stack.key(.messages)
        let socket = try await stack.readySocket(roomID, as: owner)
        defer { socket.drop() }
        let system = try await stack.messages(0).post(
            "/api/v1/messages", body("Welcome", in: roomID, type: "system"), as: key.credentials
        ).require(201, "system").json
        #expect(system["senderId"] == 0 && system["messageType"] == "system" && system["seq"] == 1)
        let named = try await stack.messages(1).post(
            "/api/v1/messages", body("Hello", in: roomID, ["senderId": .integer(stranger.userID)]), as: key.credentials
        ).require(201, "named").json
        #expect(named["senderId"] == .integer(stranger.userID) && named["seq"] == 2)
        // They are events as any others: in the log, and on sockets.
        try await socket.event("both") { $0["seq"] == 2 && $0["messageId"] == named["messageId"] }
        let log = try await stack.log(of: roomID, as: owner)
        #expect(log.map { $0["messageId"] } == [system["messageId"], named["messageId"]])
        #expect(log.map { $0["mark"] } == [system["mark"], named["mark"]])
        // What it has posted itself it may edit, and it deletes anybody's.
        let systemPath = "/api/v1/messages/\(system["messageId"]?.int ?? 0)"
        let edited = try await stack.messages().send(
            .patch, systemPath, ["payload": ["text": "Welcome, all"]], as: key.credentials)
        #expect(edited.status == 200)
        let namedPath = "/api/v1/messages/\(named["messageId"]?.int ?? 0)"
        let others = try await stack.messages().send(
            .patch, namedPath, ["payload": ["text": "No"]], as: key.credentials)
        #expect(others.status == 403)
        #expect(try await stack.messages().send(.delete, namedPath, as: key.credentials).status == 204)
    }

    @Test func `a clientMessageId belongs to the name of the key`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let (roomID, otherRoomID) = (try await stack.room(of: owner), try await stack.room(of: owner))
        let key = try await stack.key(.messages)
        let other = try await stack.key(.messages)
        let repeated: [String: JSON] = ["clientMessageId": "one"]
        let first = try await stack.messages(0).post(
            "/api/v1/messages", body("Hello", in: roomID, repeated), as: key.credentials
        ).require(201, "first").json
        #expect(first["clientMessageId"] == "one")
        let again = try await stack.messages(1).post(
            "/api/v1/messages", body("Hello", in: roomID, repeated), as: key.credentials)
        #expect(again.status == 200 && again.json == first)
        for another in [
            body("Bye", in: roomID, repeated), body("Hello", in: otherRoomID, repeated),
            body("Hello", in: roomID, repeated.merging(["senderId": .integer(owner.userID)]) { $1 }),
        ] {
            let refused = try await stack.messages().post("/api/v1/messages", another, as: key.credentials)
            #expect(refused.status == 409 && refused.code == "client_message_id_reused")
        }
        #expect(
            try await stack.messages().post(
                "/api/v1/messages", body("Hello", in: roomID, repeated), as: other.credentials
            ).status == 201)
        // A key of the same name that is made later goes on where the revoked one was.
        try await stack.revoke(key)
        let successor = try await stack.key(.messages, name: key.name)
        let later = try await stack.messages().post(
            "/api/v1/messages", body("Hello", in: roomID, repeated), as: successor.credentials)
        #expect(later.status == 200 && later.json["messageId"] == first["messageId"])
    }

    @Test func `many at once with one clientMessageId make one message`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let roomID = try await stack.room(of: owner)
        let key = try await stack.key(.messages)
        let post = body("Hello", in: roomID, ["clientMessageId": "once"])
        let answers = try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            for index in 0..<20 {
                group.addTask { try await stack.messages(index).post("/api/v1/messages", post, as: key.credentials) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count { $0.status == 201 } == 1)
        #expect(answers.count { $0.status == 200 } == 19)
        #expect(try await stack.log(of: roomID, as: owner).count == 1)
    }

    @Test func `a post that cannot be stored is refused and stores nothing`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let roomID = try await stack.room(of: owner)
        let key = try await stack.key(.messages)
        func refusal(_ body: JSON) async throws -> RESTResponse {
            try await stack.messages().post("/api/v1/messages", body, as: key.credentials)
        }
        for sender in [JSON.integer(9_007_199_254_740_990), "ext:nobody", 0, "7", "x"] {
            let refused = try await refusal(body("Hello", in: roomID, ["senderId": sender]))
            #expect(refused.status == 422 && refused.fields == ["senderId"], "\(sender)")
        }
        let system = try await refusal(body("Hello", in: roomID, ["senderId": .integer(owner.userID)], type: "system"))
        #expect(system.status == 422 && system.fields == ["messageType"])
        let reply = try await refusal(body("Hello", in: roomID, ["replyToMessageId": 1, "clientMessageId": "reply"]))
        #expect(reply.status == 422 && reply.fields == ["replyToMessageId"])
        #expect(try await refusal(body("Hello", in: Unique.name("none"))).status == 404)
        // The refused request has not taken its clientMessageId.
        #expect(try await refusal(body("Hello", in: roomID, ["clientMessageId": "reply"])).status == 201)
        try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: owner.credentials).require(200, "archive")
        #expect(try await refusal(body("Hello", in: roomID)).code == "room_archived")
        #expect(try await refusal(body("Hello", in: roomID, ["clientMessageId": "reply"])).status == 200)
    }
}
