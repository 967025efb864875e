import ChatLocalStack
import ChatTestSupport
import Testing

/// User sockets where something is away, lost, slow or set back.
@Suite(.timeLimit(.minutes(2))) struct UserSocketFailureTests {
    @Test func `many rooms are listed in pieces, each once, and named in several frames`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        var roomIDs: [String] = []
        for _ in 0..<230 { roomIDs.append(try await stack.room("group", of: user)) }
        for roomID in roomIDs.prefix(3) { try await stack.say("1", in: roomID, as: user) }

        let socket = try await stack.syncedSocket(as: user)
        let pieces = socket.events.filter { $0["eventType"] == "rooms" }
        #expect(pieces.map { $0["rooms"]?.array?.count } == [100, 100, 30])
        #expect(pieces.map { $0["isLast"] } == [nil, nil, true])
        let listed = pieces.flatMap { $0["rooms"]?.array ?? [] }.compactMap { $0["roomId"]?.string }
        #expect(listed == [2, 1, 0].map { roomIDs[$0] } + roomIDs.dropFirst(3).reversed())

        let other = try await stack.userSocket(as: user, server: 1)
        for (index, roomID) in roomIDs.enumerated() {
            let isLast = index == roomIDs.count - 1
            var frame: [String: JSON] = ["type": "sync", "rooms": .object([roomID: ["seq": 0]])]
            if !isLast { frame["more"] = true }
            try await other.send(.object(frame))
        }
        try await other.event(type: "synced")
        #expect(
            Set(other.events.filter { $0["eventType"] == "caught_up" }.compactMap { $0["roomId"]?.string })
                == Set(roomIDs.prefix(3)))
        #expect(other.events.count { $0["eventType"] == "message" } == 3)
    }

    @Test func `a slow reader falls behind on the logs and loses nothing`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomIDs = [
            try await stack.room("group", of: user, with: [other]),
            try await stack.room("group", of: user, with: [other]),
        ]
        let socket = try await stack.userSocket(as: user, query: "from=now", receiveBuffer: 4_096)
        try await socket.event(type: "synced")
        try await socket.stopReading()
        let text = String(repeating: "x", count: 7_500)
        for _ in 0..<60 {
            for roomID in roomIDs { try await stack.say(text, in: roomID, as: other) }
        }
        try await socket.resumeReading()
        for roomID in roomIDs {
            try await socket.event("the last event") { $0["roomId"]?.string == roomID && $0["seq"]?.int == 60 }
            #expect(socket.story(of: roomID) == (1...60).map { "message \($0)" })
        }
        try await stack.say("live", in: roomIDs[0], as: other)
        try await socket.event("live") { $0["roomId"]?.string == roomIDs[0] && $0["seq"]?.int == 61 }
    }

    @Test func `what Redis loses about memberships and read marks is sent all the same`() async throws {
        let stack = try await SharedStack.running()
        // One to which nobody publishes.
        let redis = try await LocalRedis.ephemeral()
        do {
            try await stack.withServer(.webSocket, ["CHAT_REDIS_URL": redis.url]) { server async throws in
                try await Self.loseAll(stack, port: server.port)
            }
        } catch {
            try? await redis.stop()
            throw error
        }
        try await redis.stop()
    }

    private static func loseAll(_ stack: SharedStack, port: Int) async throws {
        let (owner, user) = (try await stack.user(), try await stack.user())
        let socket = try await stack.syncedSocket(as: user, port: port)
        let roomID = try await stack.room("group", of: owner, with: [user])
        try await socket.event(type: "room_added")
        try await stack.say("1", in: roomID, as: owner)
        try await socket.log(upTo: 1)
        try await stack.system.send(.put, "/api/v1/rooms/\(roomID)/read", ["seq": 1], as: user.credentials)
            .require(200, "read")
        #expect(try await socket.event(type: "room_changed")["lastReadSeq"] == 1)
        let members = "/api/v1/rooms/\(roomID)/members"
        try await stack.system.send(.delete, "\(members)/\(user.userID)", as: owner.credentials).require(204, "remove")
        try await socket.event(type: "room_removed")
        try await stack.say("not for you", in: roomID, as: owner)
        try await stack.system.post(members, ["userId": .integer(user.userID)], as: owner.credentials)
            .require(201, "add")
        try await socket.events(ofType: "room_added", count: 2)
        #expect(
            socket.story(of: roomID) == [
                "room_added", "message 1", "room_changed", "member_left 2", "room_removed", "room_added",
            ])
    }

    @Test func `a log that was set back is reported, and the socket stays open`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let (kept, lost) = (
            try await stack.room("group", of: user, with: [other]),
            try await stack.room("group", of: other, with: [user])
        )
        let socket = try await stack.syncedSocket(as: user)
        for text in ["1", "2", "3"] {
            for roomID in [kept, lost] { try await stack.say(text, in: roomID, as: other) }
        }
        for roomID in [kept, lost] {
            try await socket.event("the third") { $0["roomId"]?.string == roomID && $0["seq"]?.int == 3 }
        }
        _ = try await stack.processes.postgres.run(
            sql: """
                BEGIN;
                DELETE FROM messages WHERE room_id IN ('\(kept)', '\(lost)') AND seq > 1;
                UPDATE rooms SET last_seq = 1 WHERE room_id IN ('\(kept)', '\(lost)');
                DELETE FROM room_members WHERE room_id = '\(lost)' AND user_id = \(user.userID);
                COMMIT
                """)
        let reset = try await socket.event(type: "room_reset")
        #expect(reset["roomId"]?.string == kept)
        let removed = try await socket.event(type: "room_removed")
        #expect(removed["roomId"]?.string == lost)
        #expect(removed["reason"] == "reset")
        try await stack.say("another", in: kept, as: other)
        try await socket.events(ofType: "message", count: 7)
        let story = socket.story(of: kept)
        #expect(story == ["message 1", "message 2", "message 3", "room_reset 1", "message 2"])
        #expect(socket.story(of: lost) == ["message 1", "message 2", "message 3", "room_removed"])
    }

    @Test func `a server that stops sends reconnect, and a client goes on elsewhere where it was`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: user, with: [other])
        let server = try stack.makeServer(.webSocket, ["CHAT_DRAIN_SECONDS": "1"])
        try await server.start(timeout: .seconds(60))
        let socket = try await stack.syncedSocket(as: user, port: server.port)
        try await stack.say("1", in: roomID, as: other)
        let first = try await socket.log(upTo: 1)
        async let stopped: Void = server.stop()
        try await socket.event(type: "reconnect")
        #expect(try await socket.closeFrame().code == 1012)
        // The server may have ended the connection by now.
        try? await socket.send(.close(1012))
        try await stopped
        try await stack.say("2", in: roomID, as: other)
        let position: JSON = ["seq": 1, "mark": first[0]["mark"] ?? .null]
        let back = try await stack.syncedSocket(as: user, ["rooms": .object([roomID: position])])
        #expect(back.story(of: roomID) == ["message 2", "caught_up 2"])
    }
}
