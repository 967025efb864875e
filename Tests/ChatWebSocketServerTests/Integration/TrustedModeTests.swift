import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct TrustedModeTests {
    /// The specification's example, as printed. Its `messageId` of 1 holds for an empty database; here other tests post.
    @Test func `a socket gets what a REST client posts to a room that nobody made`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let page = try await WebSocketTestClient.connect(port: stack.webSocketPort(), "/ws/chat?roomId=room-123")
        #expect(page.handshake.status == 101)
        let ready = try await page.event(type: "ready")
        #expect(ready["userId"] == nil)

        let posted = try await stack.messages().send(
            .post, "/api/v1/messages", as: .user(100), headers: [("Content-Type", "application/json")],
            bytes: Array(#"{"roomId":"room-123","messageType":"text","payload":{"text":"Hello"}}"#.utf8))
        #expect(posted.status == 201)

        let event = try await page.event(type: "message")
        #expect(event["messageId"] == posted.json["messageId"])
        #expect(event["roomId"] == "room-123")
        #expect(event["senderId"] == 100)
        #expect(event["messageType"] == "text")
        #expect(event["contentJson"] == #"{"text":"Hello"}"#)
        #expect(event["sentAt"] == posted.json["sentAt"])
        let sentAt = try #require(event["sentAt"]?.string)
        #expect(sentAt.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
        #expect(event["seq"] == 1)
        #expect(event["status"] == "sent")
        #expect(event["isEdited"] == false)
        #expect(event["isDeleted"] == false)
        #expect(
            event.keys == [
                "eventType", "seq", "mark", "messageId", "roomId", "senderId", "messageType", "contentJson", "status",
                "sentAt",
                "isEdited", "isDeleted",
            ])
        #expect(page.texts[1].contains(#""contentJson":"{\"text\":\"Hello\"}""#))
    }

    @Test func `a room made on first use is public and named by its id`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("first")
        try await stack.say("Hello", in: roomID, as: user)
        let room = try await stack.room(roomID, as: user)
        #expect(room["type"] == "public")
        #expect(room["name"] == .string(roomID))
        #expect(room["ownerId"] == nil)
        #expect(room["lastSeq"] == 1)
    }

    @Test func `other rooms keep their member rules`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let (owner, stranger) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: owner)
        let body = SharedStack.post("Hello", in: roomID)
        let refused = try await stack.messages().post("/api/v1/messages", body, as: stranger.credentials)
        #expect(refused.status == 404)
        #expect(try await stack.socket(roomID, as: stranger).closeFrame().code == 4404)
        #expect(try await stack.socket(roomID, as: nil).closeFrame().code == 4404)
        try await stack.say("Hello", in: roomID, as: owner)
    }

    @Test(arguments: ["0", "-1", "x", "9223372036854775808"])
    func `a userId that is no positive integer is refused`(_ userID: String) async throws {
        let stack = try await SharedStack.running(.trusted)
        let target = "/ws/chat?roomId=\(Unique.name())&userId=\(userID)"
        let socket = try await WebSocketTestClient.connect(port: stack.webSocketPort(), target)
        #expect(try await socket.closeFrame().code == 1007)
        let posted = try await stack.messages().send(
            .post, "/api/v1/messages", SharedStack.post("Hello", in: Unique.name()),
            headers: [("X-User-Id", userID)])
        #expect((400..<500).contains(posted.status))
        #expect(posted.code != nil)
    }

    @Test func `in token mode no room is made and no claimed user is accepted`() async throws {
        let stack = try await SharedStack.running(.token)
        let user = try await stack.user()
        let roomID = Unique.name("never")
        let posted = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("Hello", in: roomID), as: user.credentials)
        #expect(posted.status == 404)
        #expect(posted.code == "room_not_found")
        #expect(try await stack.socket(roomID, as: user).closeFrame().code == 4404)
        #expect(try await stack.system.get("/api/v1/rooms/\(roomID)", as: user.credentials).status == 404)

        #expect(try await stack.system.get("/api/v1/users/me", as: .user(user.userID)).status == 401)
        let target = "/ws/chat?roomId=\(roomID)&userId=\(user.userID)"
        let socket = try await WebSocketTestClient.connect(port: stack.webSocketPort(), target)
        #expect(try await socket.closeFrame().code == 4401)
    }
}
