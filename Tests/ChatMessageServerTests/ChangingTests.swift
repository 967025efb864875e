import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct ChangingTests {
    private func edit(
        _ message: JSON, _ payload: JSON, as user: TestUser, of stack: SharedStack, server: Int = 0
    ) async throws -> RESTResponse {
        try await stack.messages(server).send(
            .patch, "/api/v1/messages/\(message["messageId"]?.int ?? 0)", ["payload": payload], as: user.credentials)
    }

    private func delete(
        _ message: JSON, as user: TestUser, of stack: SharedStack, server: Int = 0
    ) async throws -> RESTResponse {
        try await stack.messages(server).send(
            .delete, "/api/v1/messages/\(message["messageId"]?.int ?? 0)", as: user.credentials)
    }

    private func read(_ message: JSON, as user: TestUser, of stack: SharedStack) async throws -> JSON {
        try await stack.messages(1).get(
            "/api/v1/messages/\(message["messageId"]?.int ?? 0)", as: user.credentials
        ).require(200, "read").json
    }

    // MARK: What they do

    @Test func `an edit returns the message as it is now, and so does every event about it`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let body = SharedStack.post("frist", in: roomID, key: Unique.name("key"))
        let posted = try await stack.messages().post("/api/v1/messages", body, as: user.credentials).json
        let edited = try await edit(posted, ["text": "first", "more": 1.50], as: user, of: stack, server: 1)
        #expect(edited.status == 200)
        #expect(edited.json["contentJson"] == #"{"more":1.5,"text":"first"}"#)
        #expect(edited.json["isEdited"] == true)
        #expect(edited.json["updatedAt"]?.string != nil)
        #expect(
            edited.json.without("contentJson", "isEdited", "updatedAt") == posted.without("contentJson", "isEdited"))
        #expect(try await read(posted, as: user, of: stack) == edited.json)

        let log = try await stack.log(of: roomID, as: user)
        #expect(log.map { $0["eventType"]?.string } == ["message", "message_edited"])
        #expect(log.map { $0["seq"]?.int } == [1, 2])
        for event in log {
            #expect(event["contentJson"] == edited.json["contentJson"])
            #expect(event["messageId"] == posted["messageId"])
            #expect(event["isEdited"] == true)
            #expect(event["updatedAt"] == nil)
        }
        // The first request again is the first message, as it is now.
        let again = try await stack.messages().post("/api/v1/messages", body, as: user.credentials)
        #expect(again.status == 200)
        #expect(again.json == edited.json)
    }

    @Test func `an edit that changes nothing is no event`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let posted = try await stack.say("same", in: roomID, as: user)
        let same = try await edit(posted, ["text": "same"], as: user, of: stack)
        #expect(same.status == 200)
        #expect(same.json == posted)
        #expect(try await stack.room(roomID, as: user)["lastSeq"] == 1)
    }

    @Test func `an edit to a canonically equivalent text is an event`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let posted = try await stack.say("\u{E9}", in: roomID, as: user)
        let edited = try await edit(posted, ["text": "e\u{301}"], as: user, of: stack)
        #expect(edited.json["isEdited"] == true)
        #expect(edited.json["contentJson"]?.string?.unicodeScalars.contains("\u{301}") == true)
    }

    @Test func `a deletion leaves a tombstone, and happens once`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let body = SharedStack.post("secret", in: roomID, key: Unique.name("key"))
        let posted = try await stack.messages().post("/api/v1/messages", body, as: user.credentials).json
        try await edit(posted, ["text": "secret, too"], as: user, of: stack).require(200, "edit")
        for server in 0..<3 {
            let deleted = try await delete(posted, as: user, of: stack, server: server)
            #expect(deleted.status == 204)
            #expect(deleted.bytes.isEmpty)
        }
        let tombstone = try await read(posted, as: user, of: stack)
        #expect(tombstone["isDeleted"] == true)
        #expect(tombstone["contentJson"] == "{}")
        let log = try await stack.log(of: roomID, as: user)
        #expect(log.map { $0["eventType"]?.string } == ["message", "message_edited", "message_deleted"])
        #expect(log.allSatisfy { $0["contentJson"] == "{}" && $0["isDeleted"] == true })
        let history = try await stack.messages().get("/api/v1/rooms/\(roomID)/messages", as: user.credentials).json
        #expect(history["items"] == [tombstone])

        let late = try await edit(posted, ["text": "x"], as: user, of: stack)
        #expect(late.status == 409)
        #expect(late.code == "message_deleted")
        let again = try await stack.messages().post("/api/v1/messages", body, as: user.credentials)
        #expect(again.status == 200)
        #expect(again.json == tombstone)
        let reply: JSON = [
            "roomId": .string(roomID), "messageType": "text", "payload": ["text": "?"],
            "replyToMessageId": posted["messageId"] ?? .null,
        ]
        let refused = try await stack.messages().post("/api/v1/messages", reply, as: user.credentials)
        #expect(refused.status == 422)
        #expect(refused.fields == ["replyToMessageId"])
        #expect(try await stack.room(roomID, as: user)["lastSeq"] == 3)
    }

    @Test func `a socket gets both events`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let socket = try await stack.readySocket(roomID, as: user)
        let posted = try await stack.say("Hello", in: roomID, as: user)
        try await edit(posted, ["text": "Hello!"], as: user, of: stack).require(200, "edit")
        try await delete(posted, as: user, of: stack).require(204, "delete")
        let log = try await stack.log(of: roomID, as: user)
        #expect(log.count == 3)
        #expect(try await socket.event(type: "message_edited")["contentJson"] == #"{"text":"Hello!"}"#)
        #expect(try await socket.event(type: "message_deleted") == log[2])
        try await socket.close()
    }

    // MARK: Who may

    @Test func `the sender edits; the sender, admins and the owner delete`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(4)
        let (owner, admin, member, other) = (users[0], users[1], users[2], users[3])
        let roomID = try await stack.room(of: owner, with: [admin, member, other])
        try await stack.system.send(
            .patch, "/api/v1/rooms/\(roomID)/members/\(admin.userID)", ["role": "admin"], as: owner.credentials
        ).require(200, "role")
        var messages: [JSON] = []
        for index in 0..<3 { messages.append(try await stack.say("\(index)", in: roomID, as: member)) }
        for user in [owner, admin, other] {
            let refused = try await edit(messages[0], ["text": "x"], as: user, of: stack)
            #expect(refused.status == 403)
            #expect(refused.code == "forbidden")
        }
        let refused = try await delete(messages[0], as: other, of: stack)
        #expect(refused.status == 403)
        #expect(refused.code == "forbidden")
        for (message, user) in zip(messages, [owner, admin, member]) {
            #expect(try await delete(message, as: user, of: stack).status == 204)
        }
        #expect(try await stack.log(of: roomID, as: owner).count == 7)
    }

    @Test func `a sender who has lost the room gets 404 where it is hidden, 403 where it is public`() async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        for (type, status, code) in [("public", 403, "not_a_member"), ("group", 404, "message_not_found")] {
            let roomID = try await stack.room(type, of: owner, with: [member])
            let posted = try await stack.say("Hello", in: roomID, as: member)
            try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/leave", as: member.credentials)
                .require(204, "leave")
            // The payload is not validated: its errors would reveal the message's type.
            for answer in [
                try await edit(posted, ["text": "x"], as: member, of: stack),
                try await edit(posted, ["text": 1], as: member, of: stack),
                try await delete(posted, as: member, of: stack),
            ] {
                #expect(answer.status == status)
                #expect(answer.code == code)
            }
        }
        let nothing: JSON = ["messageId": .integer(MessageID.largest)]
        for answer in [
            try await edit(nothing, ["text": "x"], as: owner, of: stack),
            try await delete(nothing, as: owner, of: stack),
        ] {
            #expect(answer.status == 404)
            #expect(answer.code == "message_not_found")
        }
    }

    @Test func `an archived room is read-only`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let messages = [
            try await stack.say("1", in: roomID, as: user), try await stack.say("2", in: roomID, as: user),
        ]
        try await delete(messages[1], as: user, of: stack).require(204, "delete")
        try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: user.credentials).require(200, "archive")
        for answer in [
            try await edit(messages[0], ["text": "x"], as: user, of: stack),
            try await delete(messages[0], as: user, of: stack),
        ] {
            #expect(answer.status == 409)
            #expect(answer.code == "room_archived")
        }
        #expect(try await delete(messages[1], as: user, of: stack).status == 204)
        #expect(try await read(messages[0], as: user, of: stack) == messages[0])
    }

    @Test func `in trusted mode non-members change their messages in public rooms`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let (sender, other) = (try await stack.user(), try await stack.user())
        let roomID = Unique.name("open")
        let posted = try await stack.say("Hello", in: roomID, as: sender)
        #expect(try await edit(posted, ["text": "x"], as: other, of: stack).status == 403)
        #expect(try await delete(posted, as: other, of: stack).code == "forbidden")
        #expect(try await edit(posted, ["text": "x"], as: sender, of: stack).status == 200)
        #expect(try await delete(posted, as: sender, of: stack).status == 204)
    }

    // MARK: Bad input

    @Test(arguments: [
        (#"{}"#, 422, "payload"), (#"{"payload":null}"#, 422, "payload"), (#"{"payload":[]}"#, 422, "payload"),
        (#"{"payload":{}}"#, 422, "payload.text"), (#"{"payload":{"text":""}}"#, 422, "payload.text"),
        (#"{"payload":{"text":"a\u0000b"}}"#, 422, "payload"), (#"{"payload":"#, 400, nil), ("[]", 400, nil),
    ])
    func `an edit is validated like a post`(_ body: String, _ status: Int, _ field: String?) async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("edits")
        let posted = try await stack.say("Hello", in: roomID, as: user)
        let answer = try await stack.messages().send(
            .patch, "/api/v1/messages/\(posted["messageId"]?.int ?? 0)", as: user.credentials,
            headers: [("Content-Type", "application/json")], bytes: Array(body.utf8))
        #expect(answer.status == status, "\(answer)")
        #expect(answer.header("Content-Type") == "application/problem+json")
        if let field { #expect(answer.fields == [field]) }
        #expect(try await read(posted, as: user, of: stack) == posted)
    }

    @Test func `an edit needs credentials and JSON`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let posted = try await stack.say("Hello", in: roomID, as: user)
        let path = "/api/v1/messages/\(posted["messageId"]?.int ?? 0)"
        #expect(try await stack.messages().send(.patch, path, ["payload": ["text": "x"]]).status == 401)
        #expect(try await stack.messages().send(.delete, path).status == 401)
        #expect(
            try await stack.messages().send(.patch, path, as: user.credentials, bytes: Array("{}".utf8)).status == 415)
        #expect(try await stack.messages().send(.delete, "/api/v1/messages/x", as: user.credentials).status == 422)
    }

    // MARK: At once

    @Test func `concurrent posts, edits and deletions over two servers leave no gap and no duplicate`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        var messages: [JSON] = []
        for index in 0..<10 { messages.append(try await stack.say("\(index)", in: roomID, as: user)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, message) in messages.enumerated() {
                group.addTask {
                    // A deletion may come first.
                    let answer = try await edit(message, ["text": "edited"], as: user, of: stack, server: index)
                    #expect([200, 409].contains(answer.status))
                }
                group.addTask { try await stack.say("more", in: roomID, as: user, server: index) }
                for server in [index, index + 1] {
                    group.addTask {
                        try await delete(message, as: user, of: stack, server: server).require(204, "delete")
                    }
                }
            }
            try await group.waitForAll()
        }
        let log = try await stack.log(of: roomID, as: user)
        #expect(log.map { $0["seq"]?.int } == (1...Int64(log.count)).map { $0 })
        #expect(log.count { $0["eventType"] == "message_deleted" } == 10)
        #expect(log.count { $0["eventType"] == "message" } == 20)
        #expect(log.count { $0["eventType"] == "message_edited" } <= 10)
    }
}
