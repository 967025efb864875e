import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RoomReadTests {
    @Test func `a read mark moves forward only, and never beyond the head`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: user)
        for index in 0..<3 { try await stack.say("\(index)", in: roomID, as: user) }
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/join", as: other.credentials).require(200, "join")
        func read(_ seq: Int64) async throws -> Int64? {
            try await stack.system.send(
                .put, "/api/v1/rooms/\(roomID)/read", ["seq": .integer(seq)], as: other.credentials
            ).require(200, "read").json["lastReadSeq"]?.int
        }
        #expect(try await read(2) == 2)
        #expect(try await read(1) == 2)
        #expect(try await read(1_000) == 4)
        let rooms = try await stack.system.get("/api/v1/rooms", as: other.credentials)
        #expect(rooms.json["items"]?[0]?["unreadCount"] == 0)
        let stranger = try await stack.user()
        let refused = try await stack.system.send(
            .put, "/api/v1/rooms/\(roomID)/read", ["seq": 1], as: stranger.credentials)
        #expect(refused.status == 403)
    }

    @Test func `read marks are published to the others: the first at once, then once a second`() async throws {
        let stack = try await SharedStack.running()
        let (user, reader) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user, with: [reader])
        for index in 0..<5 { try await stack.say("\(index)", in: roomID, as: user) }
        let socket = try await stack.readySocket(roomID, as: user)
        let start = ContinuousClock.now
        for seq in [2, 2, 3, 1, 99] as [Int64] {
            try await stack.system.send(
                .put, "/api/v1/rooms/\(roomID)/read", ["seq": .integer(seq)], as: reader.credentials
            ).require(200, "read")
        }
        try await socket.event("the last receipt") { $0["eventType"] == "read" && $0["lastReadSeq"] == 5 }
        let reads = socket.events.filter { $0["eventType"] == "read" }
        for read in reads {
            #expect(read.keys == ["eventType", "roomId", "userId", "lastReadSeq", "at"])
            #expect(read["eventType"] == "read")
            #expect(read["roomId"] == .string(roomID))
            #expect(read["userId"] == .integer(reader.userID))
        }
        let seqs = reads.compactMap { $0["lastReadSeq"]?.int }
        let seconds = Int((ContinuousClock.now - start) / .seconds(1))
        // On a busy machine the marks may come in more than a second.
        #expect(seqs.first == 2 && seqs == seqs.sorted() && seqs.count <= 2 + seconds)
        #expect(.now - start >= .milliseconds(900))
        try await socket.close()
    }

    @Test func `in trusted mode the read marks of non-members are published and not stored`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let (user, reader) = (try await stack.user(), try await stack.user())
        let roomID = Unique.name("open")
        for index in 0..<2 { try await stack.say("\(index)", in: roomID, as: user) }
        let socket = try await stack.readySocket(roomID, as: user)
        let answer = try await stack.system.send(
            .put, "/api/v1/rooms/\(roomID)/read", ["seq": 9], as: reader.credentials)
        #expect(answer.status == 200)
        #expect(answer.json["lastReadSeq"] == 2)
        #expect(try await socket.event(type: "read")["lastReadSeq"] == 2)
        try await socket.close()
        #expect(try await stack.system.get("/api/v1/rooms", as: reader.credentials).json["items"] == [])
    }
}
