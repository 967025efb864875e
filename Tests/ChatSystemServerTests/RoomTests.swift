import ChatTestSupport
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct RoomTests {
    @Test(arguments: ["group", "public", "private"])
    func `every type can be made, and the log of a new room is empty`(_ type: String) async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let made = try await stack.system.post(
            "/api/v1/rooms",
            ["name": "Ünter", "type": .string(type), "memberIds": [.integer(member.userID), .integer(owner.userID)]],
            as: owner.credentials)
        #expect(made.status == 201)
        #expect(made.json.keys == ["roomId", "name", "type", "ownerId", "memberCount", "lastSeq", "createdAt"])
        #expect(made.json["name"] == "Ünter")
        #expect(made.json["type"]?.string == type)
        #expect(made.json["ownerId"] == .integer(owner.userID))
        #expect(made.json["memberCount"] == 2)
        #expect(made.json["lastSeq"] == 0)
        let roomID = try #require(made.json["roomId"]?.string)
        #expect(try await stack.room(roomID, as: member) == made.json)
        #expect(try await stack.log(of: roomID, as: member).isEmpty)

        let again = try await stack.system.post(
            "/api/v1/rooms", ["name": "Other", "type": .string(type), "roomId": .string(roomID)], as: member.credentials
        )
        #expect(again.status == 409)
        #expect(again.code == "room_exists")
    }

    @Test func `two users have one direct room, whoever makes it`() async throws {
        let stack = try await SharedStack.running()
        let (anna, bob) = (try await stack.user(), try await stack.user())
        func ask(_ user: TestUser, for other: TestUser) async throws -> RESTResponse {
            try await stack.system.post(
                "/api/v1/rooms", ["name": "Us", "type": "direct", "memberIds": [.integer(other.userID)]],
                as: user.credentials)
        }
        let answers = try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            for index in 0..<10 {
                group.addTask { try await index % 2 == 0 ? ask(anna, for: bob) : ask(bob, for: anna) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.map(\.status).sorted() == Array(repeating: 200, count: 9) + [201])
        #expect(Set(answers.map { $0.json["roomId"] }).count == 1)
        #expect(try await ask(bob, for: anna).status == 200)

        let roomID = try #require(answers[0].json["roomId"]?.string)
        let third = try await stack.user()
        let path = "/api/v1/rooms/\(roomID)"
        let refused = [
            try await stack.system.post("\(path)/members", ["userId": .integer(third.userID)], as: anna.credentials),
            try await stack.system.send(.delete, "\(path)/members/\(bob.userID)", as: anna.credentials),
            try await stack.system.send(.post, "\(path)/leave", as: anna.credentials),
            try await stack.system.send(.post, "\(path)/leave", as: bob.credentials),
        ]
        for answer in refused {
            #expect(answer.status == 409, "\(answer)")
            #expect(answer.code == "direct_room")
        }
        #expect(try await stack.system.get(path, as: third.credentials).status == 404)
        for members in [[], [anna.userID], [bob.userID, third.userID]] as [[Int64]] {
            let wrong = try await stack.system.post(
                "/api/v1/rooms", ["name": "Us", "type": "direct", "memberIds": .array(members.map { .integer($0) })],
                as: anna.credentials)
            #expect(wrong.status == 422)
            #expect(wrong.fields == ["memberIds"])
        }
    }

    @Test func `a direct room cannot be renamed; either member archives it, and a new one can follow`() async throws {
        let stack = try await SharedStack.running()
        let (maker, other) = (try await stack.user(), try await stack.user())
        func ask(_ user: TestUser, for other: TestUser) async throws -> RESTResponse {
            try await stack.system.post(
                "/api/v1/rooms", ["type": "direct", "memberIds": [.integer(other.userID)]], as: user.credentials)
        }
        let made = try await ask(maker, for: other)
        #expect(made.status == 201)
        #expect(made.json["ownerId"] == .integer(maker.userID))
        let roomID = try #require(made.json["roomId"]?.string)
        let path = "/api/v1/rooms/\(roomID)"
        func rename(_ user: TestUser) async throws -> RESTResponse {
            try await stack.system.send(.patch, path, ["name": "We"], as: user.credentials)
        }
        func archive(_ user: TestUser) async throws -> RESTResponse {
            try await stack.system.send(.delete, path, as: user.credentials)
        }
        for refused in [try await rename(maker), try await rename(other)] {
            #expect(refused.status == 409)
            #expect(refused.code == "direct_room")
        }
        for user in [maker, other] {
            for answer in [
                try await stack.system.send(
                    .patch, "\(path)/members/\(other.userID)", ["role": "admin"], as: user.credentials),
                try await stack.system.send(
                    .delete, "\(path)/members/\(user.userID)", as: user.credentials),
            ] {
                #expect(answer.status == 409)
                #expect(answer.code == "direct_room")
            }
            try await stack.say("Hello", in: roomID, as: user)
            #expect(try await stack.room(roomID, as: user)["memberCount"] == 2)
        }

        #expect(try await archive(other).status == 200)
        #expect(try await archive(maker).status == 200)
        let next = try await ask(other, for: maker)
        #expect(next.status == 201)
        #expect(next.json["roomId"] != .string(roomID))
        #expect(next.json["ownerId"] == .integer(other.userID))
        #expect(try await ask(maker, for: other).json["roomId"] == next.json["roomId"])
        // What was said is still there.
        #expect(try await stack.log(of: roomID, as: other).count == 3)
        #expect(try await rename(maker).code == "direct_room")
    }

    @Test func `a direct room has the present display name of the other member`() async throws {
        let stack = try await SharedStack.running()
        let (anna, bob) = (try await stack.user(), try await stack.user())
        func call(_ user: TestUser, _ name: String) async throws {
            try await stack.system.send(
                .patch, "/api/v1/users/me", ["displayName": .string(name)], as: user.credentials
            ).require(200, "display name")
        }
        try await call(anna, "Anna")
        try await call(bob, "Bob")
        let body: JSON = ["name": "Us", "type": "direct", "memberIds": [.integer(bob.userID)]]
        let made = try await stack.system.post("/api/v1/rooms", body, as: anna.credentials).require(201, "direct")
        #expect(made.json["name"] == "Bob")
        #expect(try await stack.system.post("/api/v1/rooms", body, as: anna.credentials).json["name"] == "Bob")
        let roomID = made.json["roomId"]?.string ?? ""
        func names(_ user: TestUser) async throws -> [String?] {
            let list = try await stack.system.get("/api/v1/rooms", as: user.credentials).json
            return [try await stack.room(roomID, as: user)["name"]?.string, list["items"]?[0]?["name"]?.string]
        }
        #expect(try await names(anna) == ["Bob", "Bob"])
        #expect(try await names(bob) == ["Anna", "Anna"])
        try await call(anna, "Anna B.")
        #expect(try await names(bob) == ["Anna B.", "Anna B."])
        let joined = try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/join", as: bob.credentials)
        #expect(joined.status == 200 && joined.json["name"] == "Anna B.")
        let archived = try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: bob.credentials)
        #expect(archived.json["name"] == "Anna B.")
        #expect(archived.json["archivedAt"]?.string != nil)

        // Where nobody is registered it has the name that it was given.
        let trusted = try await SharedStack.running(.trusted)
        let (one, two) = (try await trusted.user(), try await trusted.user())
        let open = try await trusted.system.post(
            "/api/v1/rooms", ["name": "We", "type": "direct", "memberIds": [.integer(two.userID)]],
            as: one.credentials)
        #expect(open.json["name"] == "We")
    }

    @Test func `public rooms are found by any word of their name, in any script`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let mark = Unique.name("z").replacing("-", with: "")
        for name in ["\(mark) Cafe\u{301} Noir", "Les \(mark)", "x\(mark)", "東京\(mark)駅前"] {
            try await stack.system.post(
                "/api/v1/rooms", ["name": .string(name), "type": "public"], as: owner.credentials
            )
            .require(201, "make")
        }
        func find(_ text: String, _ more: String = "") async throws -> JSON {
            let query = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            return try await stack.system.get("/api/v1/rooms/public?query=\(query)\(more)", as: owner.credentials)
                .require(200, "find").json
        }
        func names(_ text: String) async throws -> [String?] {
            try await find(text)["items"]?.array?.map { $0["name"]?.string } ?? []
        }
        #expect(try await names(mark.uppercased()).count == 3)
        #expect(try await names("\(mark) CAF\u{C9}") == ["\(mark) Cafe\u{301} Noir"])
        #expect(try await names(" \(mark) c").count == 1)
        #expect(try await names("京\(mark)駅") == ["東京\(mark)駅前"])
        let first = try await find(mark, "&limit=2")
        let cursor = try #require(first["nextCursor"]?.string)
        let second = try await find(mark, "&limit=2&cursor=\(cursor)")
        #expect(second["items"]?.array?.count == 1)
        #expect(second["nextCursor"] == nil)
        // The cursor of a search is none of the whole list.
        let other = try await stack.system.get("/api/v1/rooms/public?cursor=\(cursor)", as: owner.credentials)
        #expect(other.status == 422)
    }

    @Test func `a user lists rooms by activity, with unread counts, page by page`() async throws {
        let stack = try await SharedStack.running()
        let (user, other) = (try await stack.user(), try await stack.user())
        var rooms: [String] = []
        for _ in 0..<3 { rooms.append(try await stack.room(of: user, with: [other])) }
        let first = try await stack.say("1", in: rooms[1], as: other)
        try await stack.say("2", in: rooms[1], as: user)
        try await stack.say("3", in: rooms[0], as: other)
        let last = try await stack.say("4", in: rooms[0], as: other)
        #expect(first["seq"] == 1)

        func list(_ query: String = "") async throws -> JSON {
            try await stack.system.get("/api/v1/rooms\(query)", as: user.credentials).require(200, "my rooms").json
        }
        let all = try await list()
        let items = try #require(all["items"]?.array)
        #expect(items.map { $0["roomId"]?.string } == [rooms[0], rooms[1], rooms[2]])
        #expect(items.map { $0["lastSeq"]?.int } == [2, 2, 0])
        #expect(items.map { $0["unreadCount"]?.int } == [2, 0, 0])
        // Posting marks the room read up to the post.
        #expect(items.map { $0["lastReadSeq"]?.int } == [0, 2, 0])
        #expect(items[0]["lastMessage"] == last)
        #expect(items[2]["lastMessage"] == nil)
        #expect(all["nextCursor"] == nil)

        var paged: [JSON] = []
        var query = "?limit=1"
        for _ in 0..<4 {
            let page = try await list(query)
            paged += page["items"]?.array ?? []
            guard let cursor = page["nextCursor"]?.string else { break }
            query = "?limit=1&cursor=\(cursor)"
        }
        #expect(paged == items)
    }

    @Test func `public rooms are found, read and joined by anyone; others are hidden from non-members`() async throws {
        let stack = try await SharedStack.running()
        let (owner, stranger) = (try await stack.user(), try await stack.user())
        let name = Unique.name("Name")
        for type in ["public", "group", "private"] {
            let made = try await stack.system.post(
                "/api/v1/rooms", ["name": .string(name), "type": .string(type)], as: owner.credentials
            ).require(201, "make a room")
            let path = "/api/v1/rooms/\(made.json["roomId"]?.string ?? "")"
            let isPublic = type == "public"
            let answers = [
                try await stack.system.get(path, as: stranger.credentials),
                try await stack.system.get("\(path)/members", as: stranger.credentials),
            ]
            for answer in answers { #expect(answer.status == (isPublic ? 200 : 404), "\(type)") }
            for answer in [
                try await stack.system.send(.patch, path, ["name": "x"], as: stranger.credentials),
                try await stack.system.send(.delete, path, as: stranger.credentials),
                try await stack.system.send(.post, "\(path)/leave", as: stranger.credentials),
                try await stack.system.post(
                    "\(path)/members", ["userId": .integer(stranger.userID)], as: stranger.credentials),
            ] {
                #expect(answer.status == (isPublic ? 403 : 404), "\(type)")
                #expect(answer.code == (isPublic ? "not_a_member" : "room_not_found"))
            }
            let joined = try await stack.system.send(.post, "\(path)/join", as: stranger.credentials)
            #expect(joined.status == (isPublic ? 200 : 404))
        }
        let found = try await stack.system.get("/api/v1/rooms/public?query=\(name)", as: stranger.credentials)
        #expect(found.json["items"]?.array?.count == 1)
        #expect(found.json["items"]?[0]?["memberCount"] == 2)
    }

    @Test func `the name that a room has is no event`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let path = "/api/v1/rooms/\(try await stack.room(of: owner))"
        let renamed = try await stack.system.send(.patch, path, ["name": "Other"], as: owner.credentials)
        #expect(renamed.status == 200 && renamed.json["lastSeq"] == 1)
        let again = try await stack.system.send(.patch, path, ["name": "Other"], as: owner.credentials)
        #expect(again.status == 200 && again.json == renamed.json)
    }

    @Test func `an archived room is read-only`() async throws {
        let stack = try await SharedStack.running()
        let (owner, member) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room(of: owner, with: [member])
        let path = "/api/v1/rooms/\(roomID)"
        let archived = try await stack.system.send(.delete, path, as: owner.credentials)
        #expect(archived.status == 200)
        #expect(archived.json["archivedAt"]?.string != nil)
        #expect(archived.json["lastSeq"] == 1)
        let posted = try await stack.messages().post(
            "/api/v1/messages", SharedStack.post("late", in: roomID), as: member.credentials)
        #expect(posted.status == 409)
        #expect(posted.code == "room_archived")
        let renamed = try await stack.system.send(.patch, path, ["name": "x"], as: owner.credentials)
        #expect(renamed.status == 409)
        #expect(renamed.code == "room_archived")
        // Once more changes nothing.
        #expect(try await stack.system.send(.delete, path, as: owner.credentials).json == archived.json)
        #expect(try await stack.room(roomID, as: member)["lastSeq"] == 1)
    }
}
