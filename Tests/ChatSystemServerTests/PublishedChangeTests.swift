import ChatLocalStack
import ChatTestSupport
import Testing

/// What the system server publishes to the user sockets of those whose list of rooms changes.
@Suite(.timeLimit(.minutes(2))) struct PublishedChangeTests {
    /// Publications of one room and of its users, as `change` and user or as the type of the room's event.
    private func changes(_ publications: [RedisListener.Publication], _ roomID: String) -> [String] {
        publications.compactMap { publication in
            let json = publication.json
            guard json["roomId"]?.string == roomID, let type = json["eventType"]?.string else { return nil }
            guard type == "user_state" else { return type }
            let user = json["userId"]?.int ?? 0
            guard publication.channel == "chat:user:\(user)" else { return "on \(publication.channel)" }
            return "\(json["change"]?.string ?? "") \(user) seq \(json["seq"]?.int ?? -1)"
        }
    }

    @Test func `who becomes a member is published after the room's event, and a removal is the room's event alone`()
        async throws
    {
        let stack = try await SharedStack.running()
        let users = try await stack.users(4)
        let ids = users.map(\.userID)
        let roomID = Unique.name("room")
        let path = "/api/v1/rooms/\(roomID)"
        try await RedisListener.listening(port: stack.processes.redis.port, pattern: "chat:*") { listener in
            _ = try await stack.room("public", of: users[0], with: [users[1]], roomID: roomID)
            try await stack.system.post("\(path)/members", ["userId": .integer(ids[2])], as: users[0].credentials)
                .require(201, "add")
            try await stack.system.send(.post, "\(path)/join", as: users[3].credentials).require(200, "join")
            try await stack.system.send(.post, "\(path)/join", as: users[3].credentials).require(200, "join again")
            try await stack.system.send(.delete, "\(path)/members/\(ids[2])", as: users[0].credentials)
                .require(204, "remove")
            try await stack.system.send(.post, "\(path)/leave", as: users[3].credentials).require(204, "leave")
            try await stack.system.send(.patch, path, ["name": "end"], as: users[0].credentials)
                .require(200, "rename")
            let all = try await listener.publications.events { changes($0, roomID).contains("room_updated") }
            let first = Set(["room_added \(ids[0]) seq 0", "room_added \(ids[1]) seq 0"])
            let room = changes(all, roomID)
            #expect(Set(room.prefix(2)) == first)
            #expect(
                room.dropFirst(2) == [
                    "member_joined", "room_added \(ids[2]) seq 1", "member_joined", "room_added \(ids[3]) seq 2",
                    "member_left", "member_left", "room_updated",
                ])
        }
    }

    @Test func `both of a new direct room are published once`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        try await RedisListener.listening(port: stack.processes.redis.port, pattern: "chat:user:*") { listener in
            let body: JSON = ["type": "direct", "memberIds": .array([.integer(users[1].userID)])]
            let made = try await stack.system.post("/api/v1/rooms", body, as: users[0].credentials)
                .require(201, "make").json
            let roomID = made["roomId"]?.string ?? ""
            try await stack.system.post("/api/v1/rooms", body, as: users[0].credentials).require(200, "find")
            // A change that is published after all of this.
            let other = try await stack.room(of: users[0])
            let all = try await listener.publications.events { !changes($0, other).isEmpty }
            #expect(
                Set(changes(all, roomID)) == Set(users.map { "room_added \($0.userID) seq 0" }))
            #expect(changes(all, roomID).count == 2)
        }
    }

    @Test func `a mark that moves over REST is published with a version, and one that does not is not`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        let roomID = try await stack.room(of: users[0], with: [users[1]])
        for number in 1...3 { try await stack.say("\(number)", in: roomID, as: users[0]) }
        try await RedisListener.listening(port: stack.processes.redis.port, pattern: "chat:user:*") { listener in
            for seq in [Int64(1), 1, 2, 99, 3] {
                try await stack.system.send(
                    .put, "/api/v1/rooms/\(roomID)/read", ["seq": .integer(seq)], as: users[1].credentials
                ).require(200, "read")
            }
            let all = try await listener.publications.events { changes($0, roomID).count >= 3 }
            #expect(changes(all, roomID) == (1...3).map { "read \(users[1].userID) seq \($0)" })
            let versions = all.map(\.json).filter { $0["roomId"]?.string == roomID }.map { $0["version"]?.int }
            #expect(versions == [2, 3, 4])
        }
    }
}
