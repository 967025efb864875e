import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ArchivedRoomTests {
    @Test
    func `sockets of an archived room stay open and can be opened, its log can be read, and nothing can be posted`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: owner, with: [member])
        let body = SharedStack.post("mine", in: roomID, key: Unique.name("key"))
        let posted = try await stack.messages().post("/api/v1/messages", body, as: member.credentials)
            .require(201, "post").json
        let open = try await stack.readySocket(roomID, as: member)
        try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: owner.credentials).require(200, "archive")
        try await open.event(type: "room_archived")

        let resumed = try await stack.readySocket(roomID, as: member, lastSeq: 0, server: 1)
        #expect(try await resumed.event(type: "caught_up")["seq"] == 2)
        #expect(resumed.events.map { $0["eventType"]?.string } == ["ready", "message", "room_archived", "caught_up"])
        #expect(resumed.events[0]["seq"] == 2)
        for path in ["rooms/\(roomID)/messages", "rooms/\(roomID)/events", "messages/\(posted["messageId"]?.int ?? 0)"]
        {
            #expect(try await stack.messages().get("/api/v1/\(path)", as: member.credentials).status == 200)
        }
        // A read mark does not change the room.
        let read = try await stack.system.send(
            .put, "/api/v1/rooms/\(roomID)/read", ["seq": 2], as: owner.credentials)
        #expect(read.json["lastReadSeq"] == 2)
        #expect(try await open.event(type: "read")["userId"] == .integer(owner.userID))

        let path = "/api/v1/rooms/\(roomID)"
        for refused in [
            try await stack.messages().post(
                "/api/v1/messages", SharedStack.post("x", in: roomID), as: owner.credentials),
            try await stack.system.send(.patch, path, ["name": "x"], as: owner.credentials),
            try await stack.system.send(
                .patch, "\(path)/members/\(member.userID)", ["role": "admin"], as: owner.credentials),
            try await stack.system.send(.delete, "\(path)/members/\(member.userID)", as: owner.credentials),
        ] {
            #expect(refused.status == 409)
            #expect(refused.code == "room_archived")
        }
        // An earlier post is still the response to its key, and to no other request.
        let again = try await stack.messages(1).post("/api/v1/messages", body, as: member.credentials)
        #expect(again.status == 200)
        #expect(again.json == posted)
        var other = body.object ?? [:]
        other["payload"] = ["text": "other"]
        #expect(
            try await stack.messages().post("/api/v1/messages", .object(other), as: member.credentials).code
                == "client_message_id_reused")
        for socket in [open, resumed] {
            try await socket.send(["type": "ping"])
            try await socket.event(type: "pong")
        }
        #expect(try await stack.room(roomID, as: member)["lastSeq"] == 2)
    }
}
