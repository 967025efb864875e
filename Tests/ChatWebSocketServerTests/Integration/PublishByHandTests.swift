import ChatTestSupport
import Testing

/// Events that another program publishes on Redis.
@Suite(.timeLimit(.minutes(2))) struct PublishByHandTests {
    @Test func `an event on a room's channel reaches its sockets unchanged`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let sockets = [
            try await stack.readySocket(roomID, as: user, server: 0),
            try await stack.readySocket(roomID, as: user, server: 1),
        ]
        // The order of keys, the form of numbers and the spaces are kept.
        let text = #"{ "z": 1.50, "eventType":"weather","a":"wörld ☔","deep":{"b":[1,null]} }"#
        let receivers = try await stack.redis.publish("chat:room:\(roomID)", Array(text.utf8))
        #expect(receivers >= 2)
        for socket in sockets {
            try await socket.event(type: "weather")
            #expect(socket.texts.last == text)
            #expect(socket.faults.isEmpty)
        }
    }

    @Test func `an event on a user's channel reaches all sockets of the user, in all rooms, and no others`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let rooms = [
            try await stack.room(of: user, with: [other]), try await stack.room("private", of: user),
        ]
        let sockets = [
            try await stack.readySocket(rooms[0], as: user, server: 0),
            try await stack.readySocket(rooms[0], as: user, server: 1),
            try await stack.readySocket(rooms[1], as: user, server: 1),
        ]
        let others = try await stack.readySocket(rooms[0], as: other)
        let text = #"{"eventType":"note","text":"only for you"}"#
        try await stack.redis.publish("chat:user:\(user.userID)", Array(text.utf8))
        for socket in sockets {
            try await socket.event(type: "note")
            #expect(socket.texts.last == text)
        }
        try await stack.redis.publish("chat:user:\(other.userID)", ["eventType": "end"])
        try await others.event(type: "end")
        #expect(others.events.compactMap { $0["eventType"]?.string } == ["ready", "end"])
    }

    @Test func `anything but a JSON object of at most 64 KiB is dropped, and what follows arrives`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let socket = try await stack.readySocket(roomID, as: user)
        func object(bytes count: Int) -> [UInt8] {
            let frame = #"{"eventType":"big","x":""}"#
            return Array(#"{"eventType":"big","x":""#.utf8)
                + Array(repeating: UInt8(ascii: "x"), count: count - frame.utf8.count) + Array(#""}"#.utf8)
        }
        let refused: [[UInt8]] = [
            Array("hello".utf8), Array("[1]".utf8), Array(#""text""#.utf8), Array("{".utf8), [], [0x7B, 0xFF, 0x7D],
            Array(#"{"eventType":"two"} {"eventType":"two"}"#.utf8), object(bytes: 65_537),
            Array(#"{"eventType":"message","seq":"2"}"#.utf8), Array(#"{"eventType":"message","seq":2.0}"#.utf8),
            Array(#"{"eventType":"message","seq":0}"#.utf8), Array(#"{"eventType":"message","seq":-1}"#.utf8),
            Array(#"{"eventType":"message","seq":null}"#.utf8),
        ]
        for channel in ["chat:room:\(roomID)", "chat:user:\(user.userID)"] {
            for payload in refused { try await stack.redis.publish(channel, payload) }
        }
        // A `seq` on the channel of a user belongs to no log.
        try await stack.redis.publish("chat:user:\(user.userID)", ["eventType": "message", "seq": 1])
        try await stack.redis.publish("chat:room:\(roomID)", object(bytes: 65_536))
        try await stack.redis.publish("chat:user:\(user.userID)", ["eventType": "end"])
        try await socket.event(type: "end")
        #expect(socket.events.compactMap { $0["eventType"]?.string } == ["ready", "big", "end"])
        #expect(socket.faults.isEmpty)
    }

    @Test func `an event with a seq that was sent is dropped, and one that leaves a gap is not trusted`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        let socket = try await stack.readySocket(roomID, as: user)
        try await stack.say("one", in: roomID, as: user)
        let event = try await socket.event(type: "message")
        try await stack.redis.publish("chat:room:\(roomID)", event)
        try await stack.redis.publish(
            "chat:room:\(roomID)", ["eventType": "message", "seq": 99, "roomId": .string(roomID), "text": "forged"])
        try await stack.redis.publish(
            "chat:room:\(roomID)", ["eventType": "message", "seq": 2, "roomId": "elsewhere", "text": "forged"])
        try await stack.say("two", in: roomID, as: user)
        let log = try await socket.log(upTo: 2)
        #expect(log.map { $0["seq"]?.int } == [1, 2])
        try await stack.say("three", in: roomID, as: user)
        #expect(try await socket.log(upTo: 3) == stack.log(of: roomID, as: user))
    }
}
