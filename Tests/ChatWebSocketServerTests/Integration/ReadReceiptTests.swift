import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ReadReceiptTests {
    @Test
    func `a read mark reaches the room on every server, moves forward only, never beyond the head, and is stored`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user, with: [other])
        for index in 1...4 { try await stack.say("\(index)", in: roomID, as: user) }
        let mine = try await stack.readySocket(roomID, as: other, server: 0)
        let sockets = [mine, try await stack.readySocket(roomID, as: user, server: 1)]
        try await mine.send(["type": "read", "seq": 2])
        for socket in sockets {
            let event = try await socket.event(type: "read")
            #expect(event.keys == ["eventType", "roomId", "userId", "lastReadSeq", "at"])
            #expect(event["userId"] == .integer(other.userID))
            #expect(event["lastReadSeq"] == 2)
        }
        // A lower seq changes nothing, and one beyond the head counts as the head.
        try await mine.send(["type": "read", "seq": 1])
        try await mine.send(["type": "read", "seq": 99])
        for socket in sockets {
            try await socket.event("read up to the head") { $0["eventType"] == "read" && $0["lastReadSeq"] == 4 }
            #expect(
                socket.events.filter { $0["eventType"] == "read" }.map { $0["lastReadSeq"]?.int } == [2, 4])
        }
        let room = try await stack.system.get("/api/v1/rooms", as: other.credentials).require(200, "rooms").json
        let listed = try #require(room["items"]?.array?.first { $0["roomId"] == .string(roomID) })
        #expect(listed["lastReadSeq"] == 4)
        #expect(listed["unreadCount"] == 0)
        #expect(try await stack.log(of: roomID, as: user).count == 4)
    }

    @Test func `receipts of a reader who scrolls are sent at most once a second, and the last one is sent`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user, with: [other])
        for index in 1...50 { try await stack.say("\(index)", in: roomID, as: user) }
        let mine = try await stack.readySocket(roomID, as: other)
        let socket = try await stack.readySocket(roomID, as: user)
        let start = ContinuousClock.now
        for seq in 1...50 { try await mine.send(["type": "read", "seq": .integer(Int64(seq))]) }
        try await socket.event("the last receipt") { $0["lastReadSeq"] == 50 }
        let sent = socket.events.filter { $0["eventType"] == "read" }.compactMap { $0["lastReadSeq"]?.int }
        #expect(sent == sent.sorted())
        // The first at once. On a busy machine the marks may come in more than a second.
        #expect(sent.count <= 2 + Int((ContinuousClock.now - start) / .seconds(1)))
    }

    @Test func `in trusted mode receipts of an open room are sent without membership`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let user = try await stack.user()
        let roomID = Unique.name("read")
        let socket = try await stack.readySocket(roomID, as: user)
        try await stack.say("one", in: roomID, as: user)
        #expect(try await socket.log(upTo: 1).count == 1)
        try await socket.send(["type": "read", "seq": 5])
        #expect(try await socket.event(type: "read")["lastReadSeq"] == 1)
        let listener = try await stack.readySocket(roomID, as: nil)
        try await listener.send(["type": "read", "seq": 1])
        #expect(try await listener.event(type: "error")["code"] == "not_allowed")
    }
}
