import ChatTestSupport
import Testing

/// A user socket has all rooms of its user, live and after an absence.
@Suite(.timeLimit(.minutes(2))) struct UserSocketTests {
    @Test func `all rooms are listed, newest activity first, and then live`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        var roomIDs: [String] = []
        for _ in 0..<3 { roomIDs.append(try await stack.room("group", of: user, with: [other])) }
        for roomID in roomIDs { try await stack.say("before", in: roomID, as: other) }

        let socket = try await stack.userSocket(as: user)
        #expect(socket.events[0].keys == ["eventType", "sessionId", "userId", "heartbeatSeconds"])
        try await socket.sync()
        let rooms = try await socket.event(type: "rooms")
        #expect(rooms["rooms"]?.array?.map { $0["roomId"]?.string } == roomIDs.reversed())
        #expect(rooms["isAll"] == true)
        #expect(rooms["isLast"] == true)
        #expect(rooms["removed"] == [])
        let listed = try await stack.system.get("/api/v1/rooms", as: user.credentials).require(200, "rooms").json
        #expect(rooms["rooms"] == listed["items"])

        for (index, roomID) in roomIDs.enumerated() {
            try await stack.say("live", in: roomID, as: other, server: index)
        }
        for roomID in roomIDs {
            try await socket.event("the message") { $0["roomId"]?.string == roomID && $0["seq"]?.int == 2 }
            #expect(socket.story(of: roomID) == ["message 2"])
        }
    }

    @Test func `what a room says is the same text on room sockets and user sockets`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room("group", of: user)
        let room = try await stack.readySocket(roomID, as: user)
        let all = try await stack.syncedSocket(as: user)
        try await stack.say("hello", in: roomID, as: user)
        try await room.log(upTo: 1)
        try await all.log(upTo: 1)
        #expect(all.texts.last == room.texts.last)
    }

    @Test func `a room that is named goes on where the client is; nothing is sent where nothing is missing`()
        async throws
    {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let (a, b) = (
            try await stack.room("group", of: user, with: [other]),
            try await stack.room("group", of: user, with: [other])
        )
        for roomID in [a, b] {
            for text in ["1", "2", "3"] { try await stack.say(text, in: roomID, as: other) }
        }
        let socket = try await stack.syncedSocket(as: user, ["rooms": [a: ["seq": 1], b: ["seq": 3]].json])
        #expect(socket.story(of: a) == ["message 2", "message 3", "caught_up 3"])
        #expect(socket.story(of: b) == [])
        for roomID in [a, b] { try await stack.say("4", in: roomID, as: other) }
        for roomID in [a, b] {
            try await socket.event("live") { $0["roomId"]?.string == roomID && $0["seq"]?.int == 4 }
        }
        #expect(socket.story(of: a) == ["message 2", "message 3", "caught_up 3", "message 4"])
        #expect(socket.story(of: b) == ["message 4"])
    }

    @Test func `more than a client wants is skipped, and a position beyond the head is another log`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let (a, b) = (try await stack.room("group", of: user), try await stack.room("group", of: user))
        for _ in 0..<3 { try await stack.say("x", in: a, as: user) }
        try await stack.say("x", in: b, as: user)
        let socket = try await stack.syncedSocket(
            as: user, ["maxMissed": 2, "rooms": [a: ["seq": 0], b: ["seq": 2]].json])
        #expect(socket.story(of: a) == ["room_skipped 3"])
        #expect(socket.story(of: b) == ["room_reset 1"])
        let reset = try #require(socket.events.first { $0["eventType"] == "room_reset" })
        #expect(reset["room"]?["lastSeq"] == 1)
        #expect(reset["mark"] == reset["room"]?["mark"])
        try await stack.say("y", in: b, as: user)
        try await socket.event("live") { $0["roomId"]?.string == b && $0["seq"]?.int == 2 }
    }

    @Test func `a cursor lists only what changed since`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        var roomIDs: [String] = []
        for _ in 0..<4 { roomIDs.append(try await stack.room("group", of: user, with: [other])) }
        let first = try await stack.userSocket(as: user)
        let cursor = try await first.sync()
        #expect(cursor.utf8.count <= 1_024)
        try await stack.say("new", in: roomIDs[1], as: other)
        try await stack.system.send(.post, "/api/v1/rooms/\(roomIDs[2])/leave", as: user.credentials).require(
            204, "leave")

        // The snapshot may be a little older than the socket, so what came just before may be sent again.
        let back = try await stack.syncedSocket(as: user, ["cursor": .string(cursor)], server: 1)
        let rooms = try await back.event(type: "rooms")
        #expect(rooms["isAll"] == nil)
        #expect(rooms["rooms"]?.array?.contains { $0["roomId"]?.string == roomIDs[1] } == true)
        #expect(rooms["removed"]?.array?.contains { $0.string == roomIDs[2] } == true)

        let others = try await stack.syncedSocket(as: other, ["cursor": .string(cursor)])
        #expect(try await others.event(type: "rooms")["isAll"] == true)
    }

    @Test func `rooms that are not the user's are removed, whatever they are`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let hidden = try await stack.room("private", of: other)
        let open = try await stack.room("public", of: other)
        let socket = try await stack.syncedSocket(
            as: user, ["rooms": [hidden: ["seq": 0], open: ["seq": 0], "not-there": ["seq": 5]].json])
        let rooms = try await socket.event(type: "rooms")
        #expect(Set(rooms["removed"]?.array ?? []) == [.string(hidden), .string(open), "not-there"])
        #expect(socket.story(of: hidden) == [])
    }

    @Test func `being added, removed and added again is sent, with the events between`() async throws {
        let stack = try await SharedStack.running()
        let (owner, user) = (try await stack.user(), try await stack.user())
        let sockets = [try await stack.syncedSocket(as: user), try await stack.syncedSocket(as: user, server: 1)]
        let roomID = try await stack.room("group", of: owner)
        let members = "/api/v1/rooms/\(roomID)/members"
        try await stack.system.post(members, ["userId": .integer(user.userID)], as: owner.credentials).require(
            201, "add")
        for socket in sockets { try await socket.event(type: "room_added") }
        try await stack.say("hello", in: roomID, as: owner)
        for socket in sockets { try await socket.log(upTo: 2) }
        try await stack.system.send(.delete, "\(members)/\(user.userID)", as: owner.credentials).require(204, "remove")
        for socket in sockets {
            let removed = try await socket.event(type: "room_removed")
            #expect(removed["reason"] == "removed")
        }
        try await stack.say("not for you", in: roomID, as: owner)
        try await stack.system.post(members, ["userId": .integer(user.userID)], as: owner.credentials).require(
            201, "add")
        for socket in sockets {
            try await socket.events(ofType: "room_added", count: 2)
        }
        try await stack.say("for you", in: roomID, as: owner)
        for socket in sockets {
            try await socket.log(upTo: 6)
            #expect(
                socket.story(of: roomID) == [
                    "room_added", "message 2", "member_left 3", "room_removed", "room_added", "message 6",
                ])
        }
    }

    @Test func `leaving and joining are sent to the user's other devices`() async throws {
        let stack = try await SharedStack.running()
        let (owner, user) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner)
        let socket = try await stack.syncedSocket(as: user)
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/join", as: user.credentials).require(200, "join")
        let added = try await socket.event(type: "room_added")
        #expect(added["room"]?["roomId"]?.string == roomID)
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/leave", as: user.credentials).require(204, "leave")
        #expect(try await socket.event(type: "room_removed")["reason"] == "left")
        #expect(socket.story(of: roomID) == ["room_added", "member_left 2", "room_removed"])
    }

    @Test func `a new room is sent to its first members`() async throws {
        let stack = try await SharedStack.running()
        let (owner, user) = (try await stack.user(), try await stack.user())
        let sockets = [try await stack.syncedSocket(as: owner), try await stack.syncedSocket(as: user)]
        let roomID = try await stack.room("group", of: owner, with: [user])
        for socket in sockets {
            let added = try await socket.event(type: "room_added")
            #expect(added["room"]?["roomId"]?.string == roomID)
            #expect(added["room"]?["lastSeq"] == 0)
        }
        try await stack.say("first", in: roomID, as: owner)
        for socket in sockets { try await socket.log(upTo: 1) }
    }

    @Test func `read on one device is read on all, after the events that are counted`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: user, with: [other])
        let (phone, desk) = (try await stack.syncedSocket(as: user), try await stack.syncedSocket(as: user, server: 1))
        for text in ["1", "2", "3"] { try await stack.say(text, in: roomID, as: other) }
        for socket in [phone, desk] { try await socket.log(upTo: 3) }
        try await phone.send(["type": "read", "roomId": .string(roomID), "seq": 2])
        for socket in [phone, desk] {
            let changed = try await socket.event(type: "room_changed")
            #expect(changed["lastReadSeq"] == 2)
            #expect(changed["unreadCount"] == 1)
            #expect(changed["lastSeq"] == 3)
        }
        try await stack.system.send(.put, "/api/v1/rooms/\(roomID)/read", ["seq": 3], as: user.credentials)
            .require(200, "read")
        for socket in [phone, desk] {
            try await socket.event("read by REST") { $0["eventType"] == "room_changed" && $0["lastReadSeq"] == 3 }
        }
    }

    @Test func `events without a seq are sent while the room is open`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: user, with: [other])
        let socket = try await stack.syncedSocket(as: user)
        let typist = try await stack.readySocket(roomID, as: other)
        try await typist.send(["type": "typing", "typing": true])
        try await typist.send(["type": "typing", "typing": false])
        try await socket.send(["type": "open", "roomId": .string(roomID)])
        try await socket.send(["type": "ping"])
        try await socket.event(type: "pong")
        try await stack.redis.publish(
            "chat:room:\(roomID)", Array(#"{"eventType":"custom","roomId":"\#(roomID)"}"#.utf8))
        try await socket.event(type: "custom")
        try await socket.send(["type": "close", "roomId": .string(roomID)])
        try await socket.send(["type": "close", "roomId": .string(roomID)])
        try await socket.send(["type": "ping"])
        try await socket.events(ofType: "pong", count: 2)
        try await stack.redis.publish(
            "chat:room:\(roomID)", Array(#"{"eventType":"again","roomId":"\#(roomID)"}"#.utf8))
        try await stack.say("end", in: roomID, as: other)
        try await socket.log(upTo: 1)
        #expect(!socket.events.contains { $0["eventType"] == "again" })
        #expect(!socket.events.contains { $0["eventType"] == "error" })
    }

    @Test func `frames are refused before sync, about other rooms, and beyond what may be open`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room("group", of: user)
        let socket = try await stack.userSocket(as: user)
        func error(_ frame: JSON) async throws -> String? {
            let count = socket.events.count { $0["eventType"] == "error" }
            try await socket.send(frame)
            return try await socket.events(ofType: "error", count: count + 1).last?["code"]?.string
        }
        #expect(try await error(["type": "open", "roomId": .string(roomID)]) == "not_synced")
        #expect(try await error(["type": "sync", "maxMissed": 0]) == "bad_message")
        #expect(try await error(["type": "sync", "rooms": ["?": ["seq": 1]]]) == "bad_message")
        #expect(try await error(["type": "sync", "rooms": ["a": ["seq": -1]]]) == "bad_message")
        #expect(try await error(["type": "sync", "rooms": ["a": ["seq": 1, "mark": "!"]]]) == "bad_message")
        #expect(try await error(["type": "sync", "rooms": []]) == "bad_message")
        try await socket.sync()
        #expect(try await error(["type": "sync"]) == "already_synced")
        #expect(try await error(["type": "open", "roomId": "elsewhere"]) == "room_not_found")
        #expect(try await error(["type": "read", "roomId": "elsewhere", "seq": 1]) == "room_not_found")
        #expect(try await error(["type": "typing", "roomId": "elsewhere", "typing": true]) == "room_not_found")
        #expect(try await error(["type": "close", "roomId": "elsewhere"]) == "room_not_found")
        #expect(try await error(["type": "nothing"]) == "unknown_type")
    }

    @Test func `fifty rooms are open at a time, and one more once another is closed`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        var rooms: [JSON] = []
        for _ in 0...50 { rooms.append(.string(try await stack.room("group", of: user))) }
        let socket = try await stack.syncedSocket(as: user)
        for room in rooms[..<50] + rooms[..<1] { try await socket.send(["type": "open", "roomId": room]) }
        try await socket.send(["type": "open", "roomId": rooms[50]])
        try await socket.event(type: "error")
        try await socket.send(["type": "close", "roomId": rooms[7]])
        try await socket.send(["type": "open", "roomId": rooms[50]])
        try await socket.send(["type": "open", "roomId": rooms[7]])
        let errors = try await socket.events(ofType: "error", count: 2)
        #expect(errors.map { $0["code"] } == ["too_many_open", "too_many_open"])
        try await socket.send(["type": "ping"])
        try await socket.event(type: "pong")
        #expect(socket.events.count { $0["eventType"] == "error" } == 2)
    }

    @Test func `from now is as an empty sync, and another value is refused`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let roomID = try await stack.room("group", of: user)
        let socket = try await stack.userSocket(as: user, query: "from=now")
        try await socket.event(type: "synced")
        #expect(socket.events.compactMap { $0["eventType"]?.string } == ["ready", "rooms", "synced"])
        try await socket.send(["type": "sync"])
        #expect(try await socket.event(type: "error")["code"] == "already_synced")
        try await stack.say("live", in: roomID, as: user)
        try await socket.log(upTo: 1)
        let refused = try await WebSocketTestClient.connect(
            port: stack.webSocketPort(), "/ws/user?from=then",
            headers: user.token.map { [("Authorization", "Bearer \($0)")] } ?? [])
        #expect(try await refused.closeFrame().code == 1007)
    }

    @Test func `a user socket without sync is closed after ten seconds; without a token at once`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let socket = try await stack.userSocket(as: user)
        let stranger = try await WebSocketTestClient.connect(port: stack.webSocketPort(), "/ws/user")
        #expect(try await stranger.closeFrame().code == 4401)
        let trusted = try await SharedStack.running(.trusted)
        let nobody = try await WebSocketTestClient.connect(port: trusted.webSocketPort(), "/ws/user")
        #expect(try await nobody.closeFrame().code == 1007)
        #expect(try await socket.closeFrame().code == 1008)
    }

    @Test func `in trusted mode a user socket is that of the user whom it names`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: user, with: [other])
        let socket = try await stack.syncedSocket(as: user)
        let rooms = try await socket.event(type: "rooms")
        #expect(rooms["rooms"]?.array?.map { $0["roomId"] } == [.string(roomID)])
        try await stack.say("Hello", in: roomID, as: other)
        let message = try await socket.event(type: "message")
        #expect(message["roomId"] == .string(roomID) && message["senderId"] == .integer(other.userID))
        let added = try await stack.room("group", of: other, with: [user])
        #expect(try await socket.event(type: "room_added")["room"]?["roomId"] == .string(added))
    }

    @Test func `a frame on the channel of the user goes to user sockets as well`() async throws {
        let stack = try await SharedStack.running()
        let user = try await stack.user()
        let socket = try await stack.syncedSocket(as: user)
        try await stack.redis.publish("chat:user:\(user.userID)", Array(#"{"eventType":"hint"}"#.utf8))
        try await socket.event(type: "hint")
    }

    @Test func `a cursor is given soon after a change, and it leads to what came after`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: user, with: [other])
        let socket = try await stack.syncedSocket(as: user)
        try await stack.say("1", in: roomID, as: other)
        let cursor = try #require(try await socket.event(type: "cursor", within: .seconds(20))["cursor"]?.string)
        let back = try await stack.syncedSocket(as: user, ["cursor": .string(cursor)])
        let rooms = try await back.event(type: "rooms")
        #expect(rooms["rooms"] == [])
        #expect(rooms["isLast"] == true)
    }
}

extension Dictionary where Key == String, Value == JSON {
    /// The object.
    fileprivate var json: JSON { .object(self) }
}
