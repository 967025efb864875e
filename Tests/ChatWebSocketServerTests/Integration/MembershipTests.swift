import ChatTestSupport
import Testing

/// Changes of a room as its sockets see them.
@Suite(.timeLimit(.minutes(2))) struct MembershipTests {
    @Test func `joining and leaving are sent live, by the REST log and on resume`() async throws {
        let stack = try await SharedStack.running()
        let (owner, guest) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner)
        let socket = try await stack.readySocket(roomID, as: owner, server: 0)
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/join", as: guest.credentials).require(200, "join")
        try await stack.say("hello", in: roomID, as: guest)
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/leave", as: guest.credentials)
            .require(204, "leave")

        let log = try await socket.log(upTo: 3)
        #expect(log.map { $0["eventType"]?.string } == ["member_joined", "message", "member_left"])
        #expect(log.map { $0["seq"]?.int } == [1, 2, 3])
        #expect(log[0].keys == ["eventType", "seq", "mark", "roomId", "userId", "role", "actorId", "at"])
        #expect(log[0]["userId"] == .integer(guest.userID))
        #expect(log[0]["role"] == "member")
        #expect(log[0]["actorId"] == .integer(guest.userID))
        #expect(log[2]["userId"] == .integer(guest.userID))
        #expect(try await stack.log(of: roomID, as: owner) == log)

        let resumed = try await stack.readySocket(roomID, as: owner, lastSeq: 0, server: 1)
        #expect(try await resumed.log(upTo: 3) == log)
    }

    @Test func `the socket of a removed member is closed and gets nothing more`() async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner, with: [member])
        let sockets = [
            try await stack.readySocket(roomID, as: member, server: 0),
            try await stack.readySocket(roomID, as: member, server: 1),
        ]
        let owners = try await stack.readySocket(roomID, as: owner)
        try await stack.system.send(
            .delete, "/api/v1/rooms/\(roomID)/members/\(member.userID)", as: owner.credentials
        ).require(204, "remove")
        try await stack.say("not for you", in: roomID, as: owner)

        #expect(try await owners.log(upTo: 2).map { $0["eventType"]?.string } == ["member_left", "message"])
        for socket in sockets {
            #expect(try await socket.closeFrame().code == 4403)
            #expect(!socket.events.contains { $0["eventType"] == "message" })
            // The server may have ended the connection by now.
            try? await socket.send(.close(4403))
            try await socket.disconnected()
        }
        #expect(try await stack.socket(roomID, as: member).closeFrame().code == 4403)
    }

    @Test(arguments: ["group", "private"])
    func `a user who loses a hidden room gets the event that says so, then 4403, and from then on 4404`(_ type: String)
        async throws
    {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(type, of: owner, with: [member])
        let socket = try await stack.readySocket(roomID, as: member)
        try await stack.system.send(
            .delete, "/api/v1/rooms/\(roomID)/members/\(member.userID)", as: owner.credentials
        ).require(204, "remove")
        try await stack.say("not for you", in: roomID, as: owner)
        #expect(try await socket.closeFrame().code == 4403)
        #expect(socket.events.compactMap { $0["eventType"]?.string } == ["ready", "member_left"])
        for lastSeq in [nil, 0] as [Int64?] {
            #expect(try await stack.socket(roomID, as: member, lastSeq: lastSeq).closeFrame().code == 4404)
        }
        for path in ["messages", "events"] {
            let answer = try await stack.messages().get("/api/v1/rooms/\(roomID)/\(path)", as: member.credentials)
            #expect(answer.status == 404)
        }
        // A user who is added again catches up on all of it.
        try await stack.system.post(
            "/api/v1/rooms/\(roomID)/members", ["userId": .integer(member.userID)], as: owner.credentials
        ).require(201, "add")
        let resumed = try await stack.readySocket(roomID, as: member, lastSeq: 0)
        try await resumed.event(type: "caught_up")
        #expect(
            resumed.events.compactMap { $0["eventType"]?.string } == [
                "ready", "member_left", "message", "member_joined", "caught_up",
            ])
    }

    @Test func `changes of roles, name and archive state are sent`() async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: owner, with: [member])
        let socket = try await stack.readySocket(roomID, as: member)
        let path = "/api/v1/rooms/\(roomID)"
        try await stack.system.send(
            .patch, "\(path)/members/\(member.userID)", ["role": "admin"], as: owner.credentials
        ).require(200, "role")
        try await stack.system.send(.patch, path, ["name": "New"], as: owner.credentials).require(200, "rename")
        try await stack.system.send(.delete, path, as: owner.credentials).require(200, "archive")

        let log = try await socket.log(upTo: 3)
        #expect(log.map { $0["eventType"]?.string } == ["member_role_changed", "room_updated", "room_archived"])
        #expect(log[0]["userId"] == .integer(member.userID))
        #expect(log[0]["role"] == "admin")
        #expect(log[0]["actorId"] == .integer(owner.userID))
        #expect(log[1].keys == ["eventType", "seq", "mark", "roomId", "name", "actorId", "at"])
        #expect(log[1]["name"] == "New")
        #expect(log[2]["name"] == "New")
        #expect(try await stack.log(of: roomID, as: owner) == log)
    }
}
