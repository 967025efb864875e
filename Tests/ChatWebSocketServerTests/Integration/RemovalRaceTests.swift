import ChatLocalStack
import ChatTestSupport
import Testing

/// Losing a room, a role or the room itself while requests are under way.
@Suite(.timeLimit(.minutes(2))) struct RemovalRaceTests {
    private static let rounds = 4

    @Test(arguments: ["pattern", "room"])
    func `nothing after a removal's seq reaches the removed member, and nothing of theirs is stored`(subscribe: String)
        async throws
    {
        let stack = try await SharedStack.running()
        let users = try await stack.users(3)
        let (owner, admin, member) = (users[0], users[1], users[2])
        let roomID = try await stack.room("group", of: owner, with: [admin, member])
        let members = "/api/v1/rooms/\(roomID)/members"
        try await stack.system.send(.patch, "\(members)/\(admin.userID)", ["role": "admin"], as: owner.credentials)
            .require(200, "role")
        try await stack.withServer(.webSocket, ["CHAT_REDIS_SUBSCRIBE": subscribe]) { server in
            for _ in 0..<Self.rounds {
                let start = try await stack.room(roomID, as: owner)["lastSeq"]?.int ?? 0
                let sockets = [
                    try await stack.readySocket(roomID, as: member, port: server.port),
                    try await stack.readySocket(roomID, as: member, lastSeq: 0, port: server.port),
                ]
                let finish = Finish()
                async let mine = finish.repeating { count in
                    try await stack.messages(count).post(
                        "/api/v1/messages", SharedStack.post("mine", in: roomID), as: member.credentials)
                }
                async let theirs = finish.repeating { count in
                    try await stack.messages(count).post(
                        "/api/v1/messages", SharedStack.post("theirs", in: roomID), as: owner.credentials)
                }
                // The posts are under way and arrive.
                try await sockets[0].log(upTo: start + 10)
                // One that still catches up is closed at once, without the event that ends its membership.
                try await sockets[1].event(type: "caught_up")
                try await stack.system.send(.delete, "\(members)/\(member.userID)", as: admin.credentials)
                    .require(204, "remove")
                try await refusesAll(stack, roomID, member, port: server.port)
                let removal = try #require(try await removal(of: member, in: roomID, after: start, stack, owner))
                for socket in sockets {
                    #expect(try await socket.closeFrame().code == 4403)
                    let log = try await socket.log(upTo: removal)
                    #expect(log.last?["seq"] == .integer(removal))
                    #expect(socket.faults == [])
                }
                // The others' posts continue after it.
                try await stack.say("after", in: roomID, as: owner)
                finish.now()
                let (ofMember, ofOwner) = try await (mine, theirs)
                #expect(ofOwner.allSatisfy { $0.status == 201 })
                #expect(ofMember.allSatisfy { [201, 404].contains($0.status) })
                #expect(ofMember.last?.status == 404)
                #expect(ofMember.allSatisfy { ($0.json["seq"]?.int ?? 0) < removal })
                #expect(
                    try await !stack.log(of: roomID, as: owner, after: removal).contains {
                        $0["senderId"] == .integer(member.userID)
                    })
                for socket in sockets { #expect(!socket.events.contains { $0["seq"]?.int ?? 0 > removal }) }
                try await stack.system.post(members, ["userId": .integer(member.userID)], as: admin.credentials)
                    .require(201, "add")
            }
            try await everySenderWasAMember(stack, roomID, first: users, reader: owner)
        }
    }

    private func removal(
        of user: TestUser, in roomID: String, after seq: Int64, _ stack: SharedStack, _ reader: TestUser
    ) async throws -> Int64? {
        try await stack.log(of: roomID, as: reader, after: seq).first {
            $0["eventType"] == "member_left" && $0["userId"] == .integer(user.userID)
        }?["seq"]?.int
    }

    /// From the answer to the removal on.
    private func refusesAll(_ stack: SharedStack, _ roomID: String, _ user: TestUser, port: Int) async throws {
        let room = "/api/v1/rooms/\(roomID)"
        for server in 0..<2 {
            let messages = stack.messages(server)
            for path in [room + "/messages", room + "/events?after=0"] {
                #expect(try await messages.get(path, as: user.credentials).status == 404)
            }
            let post = SharedStack.post("late", in: roomID)
            #expect(try await messages.post("/api/v1/messages", post, as: user.credentials).status == 404)
        }
        #expect(try await stack.system.get(room, as: user.credentials).status == 404)
        let read = try await stack.system.send(.put, room + "/read", ["seq": 1], as: user.credentials)
        #expect(read.status == 404)
        for lastSeq in [nil, 0] as [Int64?] {
            let socket = try await stack.socket(roomID, as: user, lastSeq: lastSeq, port: port)
            #expect(try await socket.refusal()?.code == 4404)
            #expect(socket.events.isEmpty)
        }
    }

    /// Replays the log: who speaks at a `seq` has to be a member there.
    private func everySenderWasAMember(
        _ stack: SharedStack, _ roomID: String, first: [TestUser], reader: TestUser
    ) async throws {
        let log = try await stack.log(of: roomID, as: reader)
        #expect(log.map { $0["seq"]?.int } == (1...Int64(log.count)).map { $0 })
        var members = Set(first.map { JSON.integer($0.userID) })
        var posts = 0
        for event in log {
            switch event["eventType"]?.string {
            case "member_joined": members.insert(event["userId"] ?? .null)
            case "member_left": members.remove(event["userId"] ?? .null)
            case "message":
                posts += 1
                #expect(members.contains(event["senderId"] ?? .null), "\(event)")
            default: break
            }
        }
        #expect(posts > Self.rounds * 10)
    }

    @Test func `a removed member changes nothing in the room, not even own messages`() async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("group", of: owner, with: [member])
        let message = "/api/v1/messages/\(try await stack.say("a", in: roomID, as: member)["messageId"]?.int ?? 0)"
        let finish = Finish()
        async let edits = finish.repeating { count in
            try await stack.messages(count).send(
                .patch, message, ["payload": ["text": .string("\(count)")]], as: member.credentials)
        }
        let socket = try await stack.readySocket(roomID, as: owner, lastSeq: 0)
        try await socket.log(upTo: 6)
        try await stack.system.send(
            .delete, "/api/v1/rooms/\(roomID)/members/\(member.userID)", as: owner.credentials
        ).require(204, "remove")
        for server in 0..<2 {
            let deletion = try await stack.messages(server).send(.delete, message, as: member.credentials)
            #expect(deletion.status == 404)
        }
        finish.now()
        let answers = try await edits
        let log = try await stack.log(of: roomID, as: owner)
        #expect(log.last?["eventType"] == "member_left")
        #expect(answers.allSatisfy { [200, 404].contains($0.status) })
        // The edits that were answered are in the log, and no others.
        #expect(answers.filter { $0.status == 200 }.count == log.filter { $0["eventType"] == "message_edited" }.count)
    }

    @Test func `a demoted admin deletes nothing more`() async throws {
        let stack = try await SharedStack.running()
        let (owner, admin) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner, with: [admin])
        let role = "/api/v1/rooms/\(roomID)/members/\(admin.userID)"
        for _ in 0..<Self.rounds {
            try await stack.system.send(.patch, role, ["role": "admin"], as: owner.credentials).require(200, "role")
            var posts: [Int64] = []
            for _ in 0..<30 { posts.append(try await stack.say("a", in: roomID, as: owner)["messageId"]?.int ?? 0) }
            let messages = posts
            let start = try await stack.room(roomID, as: owner)["lastSeq"]?.int ?? 0
            let socket = try await stack.readySocket(roomID, as: owner)
            async let deletions = withThrowingTaskGroup(of: Int.self) { group in
                for lane in 0..<3 {
                    group.addTask {
                        var done = 0
                        for (index, message) in messages.enumerated() where index % 3 == lane {
                            let answer = try await stack.messages(lane).send(
                                .delete, "/api/v1/messages/\(message)", as: admin.credentials)
                            #expect([204, 403].contains(answer.status))
                            if answer.status == 204 { done += 1 }
                        }
                        return done
                    }
                }
                return try await group.reduce(0, +)
            }
            try await socket.log(upTo: start + 3)
            try await stack.system.send(.patch, role, ["role": "member"], as: owner.credentials).require(200, "role")
            let late = try await stack.say("late", in: roomID, as: owner)["messageId"]?.int ?? 0
            #expect(
                try await stack.messages().send(.delete, "/api/v1/messages/\(late)", as: admin.credentials).status
                    == 403)
            let count = try await deletions
            let log = try await stack.log(of: roomID, as: owner, after: start)
            let demotion = try #require(log.firstIndex { $0["eventType"] == "member_role_changed" })
            #expect(log[demotion...].allSatisfy { $0["eventType"] != "message_deleted" })
            #expect(log[..<demotion].filter { $0["eventType"] == "message_deleted" }.count == count)
        }
    }

    @Test func `nothing is posted in a room after the event that archives it`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(2)
        for _ in 0..<Self.rounds {
            let roomID = try await stack.room("group", of: users[0], with: [users[1]])
            let socket = try await stack.readySocket(roomID, as: users[1])
            let finish = Finish()
            async let first = finish.repeating { _ in
                try await stack.messages(0).post(
                    "/api/v1/messages", SharedStack.post("a", in: roomID), as: users[0].credentials)
            }
            async let second = finish.repeating { _ in
                try await stack.messages(1).post(
                    "/api/v1/messages", SharedStack.post("b", in: roomID), as: users[1].credentials)
            }
            try await socket.log(upTo: 10)
            try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: users[0].credentials)
                .require(200, "archive")
            for server in 0..<2 {
                let late = try await stack.messages(server).post(
                    "/api/v1/messages", SharedStack.post("late", in: roomID), as: users[0].credentials)
                #expect(late.code == "room_archived")
            }
            finish.now()
            let answers = try await first + second
            let log = try await stack.log(of: roomID, as: users[1])
            #expect(log.last?["eventType"] == "room_archived")
            #expect(answers.allSatisfy { $0.status == 201 || $0.code == "room_archived" })
            #expect(answers.filter { $0.status == 201 }.count == log.count - 1)
            #expect(try await socket.log(upTo: Int64(log.count)).last == log.last)
        }
    }
}
