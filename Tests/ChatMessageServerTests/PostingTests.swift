import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct PostingTests {
    @Test func `a post is stored and read back as it was returned`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let key = Unique.name("key")
        let posted = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("Hello", in: roomID, key: key), as: user.credentials)
        #expect(posted.status == 201)
        #expect(
            posted.json.keys == [
                "messageId", "roomId", "seq", "mark", "senderId", "messageType", "contentJson", "status", "sentAt",
                "clientMessageId", "isEdited", "isDeleted",
            ])
        #expect(posted.json["clientMessageId"] == .string(key))
        let messageID = try #require(posted.json["messageId"]?.int)
        let reply: JSON = [
            "roomId": .string(roomID), "messageType": "sticker", "payload": ["stickerId": "wave", "size": 1.50],
            "replyToMessageId": .integer(messageID),
        ]
        let replied = try await stack.messages(1).post("/api/v1/messages", reply, as: user.credentials)
        #expect(replied.status == 201)
        #expect(replied.json["replyToMessageId"] == .integer(messageID))
        #expect(replied.json["seq"] == 2)

        for (server, message) in [posted.json, replied.json].enumerated() {
            let read = try await stack.messages(server + 1).get(
                "/api/v1/messages/\(message["messageId"]?.int ?? 0)", as: user.credentials)
            #expect(read.status == 200)
            #expect(read.json == message)
        }
    }

    @Test(arguments: [
        ("text", #"{"text":"ä ☔ 👩‍👩‍👧"}"#),
        ("image", #"{"caption":"c","height":2,"imageUrl":"https://example.org/a.png","width":1}"#),
        ("file", #"{"fileName":"a.txt","fileSize":0,"fileUrl":"http://example.org/a"}"#),
        ("video", #"{"durationSeconds":1.5,"url":"https://example.org/v"}"#),
        ("audio", #"{"mimeType":"audio/ogg","url":"https://example.org/a"}"#),
        ("location", #"{"label":"here","latitude":-90,"longitude":180}"#),
        ("sticker", #"{"stickerId":"wave"}"#),
        ("rich_content", #"{"any":[1,{"deep":null}],"number":12345678901234567890.10}"#),
    ])
    func `every type of message validates its payload and keeps other keys`(_ type: String, _ payload: String)
        async throws
    {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("types")
        let body = #"{"payload":\#(payload),"roomId":"\#(roomID)","messageType":"\#(type)"}"#
        let posted = try await stack.messages().send(
            .post, "/api/v1/messages", as: user.credentials, headers: [("Content-Type", "application/json")],
            bytes: Array(body.utf8))
        #expect(posted.status == 201, "\(posted)")
        #expect(posted.json["messageType"]?.string == type)
        #expect(posted.json["contentJson"]?.string == payload)
    }

    // MARK: Repeats

    @Test func `a hundred parallel retries of one clientMessageId store one message`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let body = SharedStack.post("once", in: roomID, key: Unique.name("key"))
        let answers = try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            for server in 0..<100 {
                group.addTask {
                    try await stack.messages(server).post("/api/v1/messages", body, as: user.credentials)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 201 }.count == 1)
        #expect(answers.filter { $0.status == 200 }.count == 99)
        #expect(Set(answers.map(\.json)).count == 1)

        // A number that a repeat had burnt would be missing here.
        try await stack.say("next", in: roomID, as: user)
        let log = try await stack.log(of: roomID, as: user)
        #expect(log.map { $0["seq"]?.int } == [1, 2])
        let history = try await stack.messages().get("/api/v1/rooms/\(roomID)/messages", as: user.credentials)
        #expect(history.json["items"]?.array?.count == 2)
    }

    @Test func `a clientMessageId names one message of its sender`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let rooms = [
            try await stack.room(of: user, with: [other]), try await stack.room(of: user, with: [other]),
        ]
        let key = Unique.name("key")
        func post(_ body: JSON, as user: TestUser) async throws -> RESTResponse {
            try await stack.messages(1).post("/api/v1/messages", body, as: user.credentials)
        }
        let first = try await post(SharedStack.post("one", in: rooms[0], key: key), as: user)
        #expect(first.status == 201)
        var asReply = SharedStack.post("one", in: rooms[0], key: key).object ?? [:]
        asReply["replyToMessageId"] = first.json["messageId"]
        var asType = SharedStack.post("one", in: rooms[0], key: key).object ?? [:]
        asType["messageType"] = "rich_content"
        let others: [JSON] = [
            SharedStack.post("two", in: rooms[0], key: key), SharedStack.post("one", in: rooms[1], key: key),
            .object(asReply), .object(asType),
        ]
        for body in others {
            let refused = try await post(body, as: user)
            #expect(refused.status == 409, "\(body)")
            #expect(refused.code == "client_message_id_reused")
        }
        // The same data in other words is the same message.
        let words =
            #"{"clientMessageId":"\#(key)", "payload" : {"t\u0065xt":"one"},"messageType":"text","roomId":"\#(rooms[0])"}"#
        let repeated = try await stack.messages().send(
            .post, "/api/v1/messages", as: user.credentials, headers: [("Content-Type", "application/json")],
            bytes: Array(words.utf8))
        #expect(repeated.status == 200)
        #expect(repeated.json == first.json)
        // Another user's key is another key.
        #expect(try await post(SharedStack.post("two", in: rooms[0], key: key), as: other).status == 201)
        #expect(try await stack.room(rooms[0], as: user)["lastSeq"] == 2)
        #expect(try await stack.room(rooms[1], as: user)["lastSeq"] == 0)
    }

    @Test func `canonically equivalent keys and members are different`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let key = Unique.name("key")
        // At once, so that they meet in one batch.
        let answers = try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            for letter in ["\u{E9}", "e\u{301}"] {
                for _ in 0..<5 {
                    group.addTask {
                        try await stack.messages().post(
                            "/api/v1/messages", SharedStack.post("Hello", in: roomID, key: key + letter),
                            as: user.credentials)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.map(\.status).sorted() == Array(repeating: 200, count: 8) + [201, 201])
        #expect(Set(answers.map { $0.json["messageId"] }).count == 2)

        let body = #"{"roomId":"\#(roomID)","messageType":"rich_content","payload":{"\u00e9":1,"e\u0301":2}}"#
        let posted = try await stack.messages().send(
            .post, "/api/v1/messages", as: user.credentials, headers: [("Content-Type", "application/json")],
            bytes: Array(body.utf8)
        ).require(201, "post")
        let content = try #require(posted.json["contentJson"]?.string)
        #expect(content.utf8.elementsEqual("{\"e\u{301}\":2,\"\u{E9}\":1}".utf8))
    }

    @Test
    func `a repeat returns the message also after an archive, and a receipt to a sender who has lost the room`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: owner, with: [member])
        let (ownersPost, membersPost) = (
            SharedStack.post("mine", in: roomID, key: Unique.name("key")),
            SharedStack.post("mine", in: roomID, key: Unique.name("key"))
        )
        let first = try await stack.messages().post("/api/v1/messages", ownersPost, as: owner.credentials)
        let stored = try await stack.messages().post("/api/v1/messages", membersPost, as: member.credentials)
            .require(201, "post")
        try await stack.system.send(
            .delete, "/api/v1/rooms/\(roomID)/members/\(member.userID)", as: owner.credentials
        ).require(204, "remove")
        let receipt = try await stack.messages(1).post("/api/v1/messages", membersPost, as: member.credentials)
        #expect(receipt.status == 200)
        #expect(receipt.json.keys == ["messageId", "roomId", "seq", "sentAt", "clientMessageId"])
        for key in receipt.json.keys { #expect(receipt.json[key] == stored.json[key]) }
        let lost = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("new", in: roomID), as: member.credentials)
        #expect(lost.status == 404)
        #expect(lost.code == "room_not_found")

        try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: owner.credentials).require(200, "archive")
        let again = try await stack.messages(1).post("/api/v1/messages", ownersPost, as: owner.credentials)
        #expect(again.status == 200)
        #expect(again.json == first.json)
        let new = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("new", in: roomID), as: owner.credentials)
        #expect(new.status == 409)
        #expect(new.code == "room_archived")
    }

    // MARK: Who may

    @Test func `only members post; others get 403 in a public room and 404 elsewhere`() async throws {
        let stack = try await SharedStack.running()
        let (owner, stranger) = (try await stack.user(), try await stack.user())
        for (type, status, code) in [("public", 403, "not_a_member"), ("group", 404, "room_not_found")] {
            let roomID = try await stack.room(type, of: owner)
            let refused = try await stack.messages().post(
                "/api/v1/messages", SharedStack.post("Hello", in: roomID), as: stranger.credentials)
            #expect(refused.status == status)
            #expect(refused.code == code)
            #expect(try await stack.room(roomID, as: owner)["lastSeq"] == 0)
        }
    }
}
