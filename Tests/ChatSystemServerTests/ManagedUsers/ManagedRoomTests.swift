import ChatEvents
import ChatStorage
import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct ManagedRoomTests {
    private func members(_ roles: [(TestUser, String?)]) -> JSON {
        .array(
            roles.map { user, role in
                var member: [String: JSON] = ["userId": .integer(user.userID)]
                if let role { member["role"] = .string(role) }
                return .object(member)
            })
    }

    private func put(_ stack: SharedStack, _ key: TestKey, _ roomID: String, _ body: JSON) async throws -> RESTResponse
    {
        try await stack.system.send(.put, "/api/v1/admin/rooms/\(roomID)", body, as: key.credentials)
    }

    @Test func `a plan has who joins, whose role changes and who leaves`() {
        let (a, b, c, d) = (UserID(1), UserID(2), UserID(3), UserID(4))
        let plan = MembershipPlan(from: [a: .owner, b: .member, c: .admin], to: [d: .member, c: .member, a: .owner])
        #expect(plan.joining.map(\.userID) == [d] && plan.changing.map(\.userID) == [c] && plan.leaving == [b])
        let nothing = MembershipPlan(from: [a: .owner], to: [a: .owner])
        #expect(nothing == MembershipPlan(from: [:], to: [:]))
    }

    @Test func `a room is made with its members and roles, and made what the list says from then on`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.rooms)
        let users = try await stack.users(4)
        let roomID = Unique.name("put")
        let made = try await put(
            stack, key, roomID,
            [
                "name": "Made", "type": "private",
                "members": members([(users[0], "owner"), (users[1], "admin"), (users[2], nil)]),
            ]
        ).require(201, "make").json
        #expect(made["ownerId"] == .integer(users[0].userID) && made["memberCount"] == 3 && made["lastSeq"] == 0)
        let list = try await stack.system.get("/api/v1/rooms/\(roomID)/members", as: users[0].credentials).json
        let roles = Dictionary(
            uniqueKeysWithValues: (list["items"]?.array ?? []).map { ($0["userId"]?.int ?? 0, $0["role"]?.string) })
        #expect(roles == [users[0].userID: "owner", users[1].userID: "admin", users[2].userID: "member"])

        // Nothing differs: no event.
        let same = try await put(
            stack, key, roomID, ["members": members([(users[0], "owner"), (users[1], "admin"), (users[2], nil)])])
        #expect(same.status == 200 && same.json["lastSeq"] == 0)
        let socket = try await stack.readySocket(roomID, as: users[1])
        defer { socket.drop() }
        let leaver = try await stack.readySocket(roomID, as: users[2])
        defer { leaver.drop() }
        let changed = try await put(
            stack, key, roomID,
            ["name": "Changed", "members": members([(users[1], "owner"), (users[0], nil), (users[3], nil)])]
        ).require(200, "change").json
        #expect(changed["name"] == "Changed" && changed["ownerId"] == .integer(users[1].userID))
        #expect(changed["memberCount"] == 3 && changed["lastSeq"] == 5)
        let log = try await stack.log(of: roomID, as: users[1])
        #expect(
            log.map { $0["eventType"]?.string } == [
                "room_updated", "member_joined", "member_role_changed", "member_role_changed", "member_left",
            ])
        #expect(log.allSatisfy { $0["actorId"] == 0 } && log.compactMap { $0["seq"]?.int } == [1, 2, 3, 4, 5])
        try await socket.event("the last change") { $0["seq"] == 5 && $0["userId"] == .integer(users[2].userID) }
        #expect(try await leaver.closeFrame().code == 4403)
        // What is not named stays; an empty list empties the room, and nobody owns it.
        let renamed = try await put(stack, key, roomID, ["name": "Again"]).json
        #expect(renamed["memberCount"] == 3 && renamed["ownerId"] != nil)
        let emptied = try await put(stack, key, roomID, ["members": []]).require(200, "empty").json
        #expect(emptied["memberCount"] == 0 && emptied["ownerId"] == nil && emptied["archivedAt"] == nil)
        // Who was in it comes back with the read mark, whatever they had chosen.
        #expect(try await put(stack, key, roomID, ["members": members([(users[2], nil)])]).json["memberCount"] == 1)
    }

    @Test func `another form of the same name is a change`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.rooms)
        let roomID = Unique.name("form")
        let (decomposed, composed) = ("Cafe\u{301}", "Caf\u{E9}")
        for (name, head) in [(decomposed, 0), (decomposed, 0), (composed, 1)] as [(String, Int64)] {
            let room = try await put(stack, key, roomID, ["name": .string(name), "type": "private"]).json
            let bytes = room["name"]?.string.map { Array($0.utf8) }
            #expect(bytes == Array(name.utf8) && room["lastSeq"] == .integer(head))
        }
    }

    @Test func `neither whoMayAdd nor having left keeps a user out`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.rooms)
        let users = try await stack.users(2)
        let (owner, shy) = (users[0], users[1])
        let roomID = try await stack.room(of: owner, with: [shy])
        try await stack.system.send(.post, "/api/v1/rooms/\(roomID)/leave", as: shy.credentials).require(204, "leave")
        try await stack.system.send(.patch, "/api/v1/users/me", ["whoMayAdd": "nobody"], as: shy.credentials)
            .require(200, "shy")
        let added = try await put(stack, key, roomID, ["members": members([(owner, "owner"), (shy, nil)])])
        #expect(added.status == 200 && added.json["memberCount"] == 2)
    }

    @Test func `what cannot be is refused, and nothing is done`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.rooms)
        let users = try await stack.users(2)
        let roomID = try await stack.room(of: users[0])
        let newID = Unique.name("new")
        let nobody: JSON = ["userId": 9_007_199_254_740_990]
        let refusals: [(String, JSON, Int, String)] = [
            (roomID, ["type": "public"], 409, "room_type_fixed"), (roomID, ["type": "direct"], 409, "direct_room"),
            (roomID, ["name": "No", "members": .array([nobody])], 422, "validation_failed"),
            (roomID, ["members": .array([["userId": "ext:nobody"]])], 422, "validation_failed"),
            (roomID, ["members": members([(users[0], "owner"), (users[1], "owner")])], 422, "validation_failed"),
            (roomID, ["members": members([(users[0], nil), (users[0], nil)])], 422, "validation_failed"),
            (roomID, ["members": 1], 422, "validation_failed"), (roomID, ["members": [1]], 422, "validation_failed"),
            (roomID, ["members": [["role": "member"]]], 422, "validation_failed"),
            (
                roomID, ["members": .array([["userId": .integer(users[0].userID), "role": "king"]])], 422,
                "validation_failed"
            ),
            (newID, ["name": "New"], 422, "validation_failed"), (newID, ["type": "group"], 422, "validation_failed"),
            (newID, ["name": "New", "type": "group", "members": .array([nobody])], 422, "validation_failed"),
            ("a%20b", ["name": "New", "type": "group"], 422, "validation_failed"),
        ]
        for (id, body, status, code) in refusals {
            let refused = try await put(stack, key, id, body)
            #expect(refused.status == status && refused.code == code, "\(body.text)")
        }
        #expect(try await stack.log(of: roomID, as: users[0]).isEmpty)
        #expect(try await stack.system.get("/api/v1/rooms/\(newID)", as: key.credentials).status == 404)
        let direct =
            try await stack.system.post(
                "/api/v1/rooms", ["type": "direct", "memberIds": [.integer(users[1].userID)]], as: users[0].credentials
            ).require(201, "direct").json["roomId"]?.string ?? ""
        #expect(try await put(stack, key, direct, ["name": "No"]).code == "direct_room")
        try await stack.system.send(.delete, "/api/v1/rooms/\(roomID)", as: users[0].credentials).require(
            200, "archive")
        #expect(try await put(stack, key, roomID, ["name": "No"]).code == "room_archived")
    }

    @Test func `a body may have 8 MiB, and no more`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.rooms)
        let user = try await stack.user()
        let roomID = try await stack.room(of: user)
        func answer(_ bytes: Int) async throws -> Int {
            let body = "{\"padding\":\"" + String(repeating: "x", count: bytes) + "\"}"
            return try await stack.system.send(
                .put, "/api/v1/admin/rooms/\(roomID)", as: key.credentials,
                headers: [("Content-Type", "application/json")], bytes: Array(body.utf8)
            ).status
        }
        #expect(try await answer(8 * 1_024 * 1_024 - 100) == 200)
        // The server closes the connection; whether the client reads the response before its write fails is up to the kernel.
        let refused = try? await answer(8 * 1_024 * 1_024)
        #expect(refused == nil || refused == 413)
    }

    @Test func `all rooms are listed page by page`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.rooms)
        let user = try await stack.user()
        let made = [try await stack.room("private", of: user), try await stack.room("public", of: user)]
        var seen: [String] = []
        var cursor = ""
        while true {
            let page = try await stack.system.get("/api/v1/admin/rooms?limit=100\(cursor)", as: key.credentials).json
            seen += (page["items"]?.array ?? []).compactMap { $0["roomId"]?.string }
            guard let next = page["nextCursor"]?.string else { break }
            cursor = "&cursor=\(next)"
        }
        #expect(Set(seen).isSuperset(of: made) && Set(seen).count == seen.count)
    }
}
