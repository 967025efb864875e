import ChatTestSupport
import Testing

@Suite("Typing")
struct TypingTests {
    @Test("Told to the room's other sessions on every server, never to the one that sent it, and not kept")
    func typing() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user, with: [other])
        let mine = try await stack.readySocket(roomID, as: user, server: 0)
        let others = [
            // The user's own second device is one of the others.
            try await stack.readySocket(roomID, as: user, server: 0),
            try await stack.readySocket(roomID, as: user, server: 1),
            try await stack.readySocket(roomID, as: other, server: 0),
            try await stack.readySocket(roomID, as: other, server: 1),
        ]
        let elsewhere = try await stack.readySocket(try await stack.room(of: user), as: user)
        try await mine.send(["type": "typing", "typing": true])
        for socket in others {
            let event = try await socket.event(type: "typing")
            #expect(
                event == [
                    "eventType": "typing", "roomId": .string(roomID), "userId": .integer(user.userID), "typing": true,
                ])
        }
        try await mine.send(["type": "typing", "typing": false])
        for socket in others {
            try await socket.event("the end of typing") { $0["eventType"] == "typing" && $0["typing"] == false }
        }
        // What was to come to the others has come, in order, before this.
        try await stack.say("done", in: roomID, as: user)
        #expect(try await mine.log(upTo: 1).count == 1)
        #expect(!mine.events.contains { $0["eventType"] == "typing" })
        #expect(!elsewhere.events.contains { $0["eventType"] == "typing" })
        #expect(try await stack.log(of: roomID, as: user).map { $0["eventType"]?.string } == ["message"])
    }

    @Test("The same said again and again is told once")
    func coalesced() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: user, with: [other])
        let mine = try await stack.readySocket(roomID, as: user)
        let socket = try await stack.readySocket(roomID, as: other)
        for _ in 0..<20 { try await mine.send(["type": "typing", "typing": true]) }
        try await mine.send(["type": "typing", "typing": false])
        try await socket.event("the end of typing") { $0["typing"] == false }
        let told = socket.events.filter { $0["eventType"] == "typing" }.map { $0["typing"]?.bool }
        #expect(told == [true, false])
    }

    @Test("A socket without a user only listens")
    func anonymous() async throws {
        let stack = try await SharedStack.running(.trusted)
        let socket = try await stack.readySocket(Unique.name("typing"), as: nil)
        try await socket.send(["type": "typing", "typing": true])
        #expect(try await socket.event(type: "error")["code"] == "not_allowed")
    }
}
