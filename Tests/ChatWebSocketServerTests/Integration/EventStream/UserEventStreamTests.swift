import ChatTestSupport
import Testing

/// Event streams of all rooms of a user.
@Suite(.timeLimit(.minutes(2))) struct UserEventStreamTests {
    private struct Position: Hashable {
        let room: String
        let seq: Int64
    }

    private static func positions(_ stream: EventStreamTestClient) -> [Position] {
        stream.messages.filter { $0["messageId"] != nil }.compactMap { event in
            guard let room = event["roomId"]?.string, let seq = event["seq"]?.int else { return nil }
            return Position(room: room, seq: seq)
        }
    }

    @Test func `a stream of a user gets all rooms, and then what happens in them`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let rooms = [try await stack.room(of: user), try await stack.room(of: user)]
        try await stack.say("before", in: rooms[0], as: user)
        let stream = try await stack.userStream(as: user)
        #expect(stream.response.header("content-type") == "text/event-stream")
        let ready = try await stream.event(type: "ready")
        #expect(ready["userId"] == .integer(user.userID) && ready["heartbeatSeconds"] == 15)
        let list = try await stream.event(type: "rooms")
        #expect(Set(list["rooms"]?.array?.compactMap { $0["roomId"]?.string } ?? []) == Set(rooms))
        #expect(list["isAll"] == true && list["isLast"] == true)
        let synced = try await stream.event(type: "synced")
        #expect(!stream.lastEventID.isEmpty && synced["cursor"] == .string(stream.lastEventID))
        #expect(stream.lastEventID.utf8.count <= 1_024)

        try await stack.say("first", in: rooms[0], as: user)
        try await stack.say("second", in: rooms[1], as: user)
        let added = try await stack.room(of: other, with: [user])
        try await stream.event("room_added") {
            $0["eventType"] == "room_added" && $0["room"]?["roomId"] == .string(added)
        }
        try await stack.say("third", in: added, as: other)
        for (room, seq) in [(rooms[0], 2), (rooms[1], 1), (added, 1)] as [(String, Int64)] {
            try await stream.event("an event") { $0["roomId"] == .string(room) && $0["seq"] == .integer(seq) }
        }
        #expect(Self.positions(stream).count == 3)
        try await stack.system.send(
            .delete, "/api/v1/rooms/\(added)/members/\(user.userID)", as: other.credentials
        ).require(204, "remove")
        let removed = try await stream.event(type: "room_removed")
        #expect(removed["roomId"] == .string(added) && removed["reason"] == "removed")
        #expect(stream.faults.isEmpty)
    }

    @Test func `a client that comes back with the last id misses nothing in any room`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let rooms = [
            try await stack.room(of: user), try await stack.room(of: user), try await stack.room(of: user),
        ]
        let count = 60 as Int64
        let first = try await stack.userStream(as: user)
        try await first.event(type: "synced")
        var lastEventID = first.lastEventID
        first.drop()
        async let writing: Void = withThrowingTaskGroup(of: Void.self) { group in
            for room in rooms {
                group.addTask {
                    for index in 0..<count { try await stack.say("\(index)", in: room, as: user, server: Int(index)) }
                }
            }
            try await group.waitForAll()
        }
        var received: Set<Position> = []
        func take(_ turn: Int) async throws {
            let stream = try await stack.userStream(as: user, lastEventID: lastEventID, server: turn)
            try await stream.event(type: "synced")
            stream.drop()
            try await stream.disconnected()
            let positions = Self.positions(stream)
            for room in rooms {
                let seqs = positions.filter { $0.room == room }.map(\.seq)
                #expect(seqs == seqs.sorted() && Set(seqs).count == seqs.count)
            }
            received.formUnion(positions)
            if !stream.lastEventID.isEmpty { lastEventID = stream.lastEventID }
            #expect(stream.faults.isEmpty)
        }
        for turn in 0..<200 where received.count < rooms.count * Int(count) { try await take(turn) }
        try await writing
        // The posts may have taken longer than all turns. What is posted before a turn comes before its `synced`.
        if received.count < rooms.count * Int(count) { try await take(0) }
        #expect(received.count == rooms.count * Int(count))
    }

    @Test func `a client that comes back misses nothing in a room that its user left and joined again`() async throws {
        let stack = try await SharedStack.running()
        let (owner, user) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner, with: [user])
        let first = try await stack.userStream(as: user)
        try await first.event(type: "synced")
        try await stack.say("1", in: roomID, as: owner)
        try await first.event("the message") { $0["seq"] == 1 }
        let lastEventID = first.lastEventID
        first.drop()
        for path in ["leave", "join"] {
            try await stack.say("before \(path)", in: roomID, as: owner)
            try await stack.system.send(
                .post, "/api/v1/rooms/\(roomID)/\(path)", as: user.credentials
            ).require(path == "join" ? 200 : 204, path)
        }
        let second = try await stack.userStream(as: user, lastEventID: lastEventID)
        try await second.event(type: "synced")
        let seqs = second.messages.filter { $0["roomId"] == .string(roomID) }.compactMap { $0["seq"]?.int }
        // What came behind the last id can come again.
        #expect(Set(seqs).isSuperset(of: 2...5) && seqs == seqs.sorted())
    }

    @Test(arguments: ["x", "0.", "17.abcdef", String(repeating: "a", count: 1_024)])
    func `an id that is none is as one from elsewhere`(id: String) async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let room = try await stack.room(of: user)
        let stream = try await stack.userStream(as: user, lastEventID: id)
        let list = try await stream.event(type: "rooms")
        #expect(list["isAll"] == true && list["rooms"]?.array?.first?["roomId"] == .string(room))
        try await stream.event(type: "synced")
        #expect(!stream.messages.contains { $0["eventType"] == "room_reset" })
    }

    @Test func `the cursor of another user opens nothing of theirs`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let (room, otherRoom) = (try await stack.room(of: user), try await stack.room(of: other))
        let first = try await stack.userStream(as: other)
        try await first.event(type: "synced")
        let stream = try await stack.userStream(as: user, lastEventID: first.lastEventID)
        try await stream.event(type: "synced")
        try await stack.say("secret", in: otherRoom, as: other)
        try await stack.say("open", in: room, as: user)
        try await stream.event(type: "message")
        #expect(!stream.events.contains { $0.data.contains(otherRoom) })
    }

    @Test func `a stream of nobody is refused`() async throws {
        let stack = try await SharedStack.running()
        let refused = try await stack.userStream(as: nil).response
        #expect(refused.status == 401 && refused.json["code"] == "missing_token")
        let trusted = try await SharedStack.running(.trusted)
        #expect(try await trusted.userStream(as: nil).response.status == 422)
    }
}
