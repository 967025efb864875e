import ChatTestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct MemberTests {
    /// A room with all roles.
    private struct Cast {
        let stack: SharedStack
        let roomID: String
        let owner: TestUser
        let admin: TestUser
        let otherAdmin: TestUser
        let member: TestUser
        let otherMember: TestUser

        static func make(_ type: String = "group") async throws -> Cast {
            let stack = try await SharedStack.running()
            let users = try await stack.users(5)
            let roomID = try await stack.room(type, of: users[0], with: Array(users[1...]))
            let cast = Cast(
                stack: stack, roomID: roomID, owner: users[0], admin: users[1], otherAdmin: users[2], member: users[3],
                otherMember: users[4])
            for user in [cast.admin, cast.otherAdmin] {
                try await cast.setRole("admin", of: user, as: cast.owner).require(200, "set a role")
            }
            return cast
        }

        var path: String { "/api/v1/rooms/\(roomID)" }

        func add(_ user: TestUser, role: String? = nil, as actor: TestUser) async throws -> RESTResponse {
            var body: [String: JSON] = ["userId": .integer(user.userID)]
            if let role { body["role"] = .string(role) }
            return try await stack.system.post("\(path)/members", .object(body), as: actor.credentials)
        }

        func remove(_ user: TestUser, as actor: TestUser) async throws -> RESTResponse {
            try await stack.system.send(.delete, "\(path)/members/\(user.userID)", as: actor.credentials)
        }

        func setRole(_ role: String, of user: TestUser, as actor: TestUser) async throws -> RESTResponse {
            try await stack.system.send(
                .patch, "\(path)/members/\(user.userID)", ["role": .string(role)], as: actor.credentials)
        }

        func leave(_ user: TestUser) async throws -> RESTResponse {
            try await stack.system.send(.post, "\(path)/leave", as: user.credentials)
        }

        /// Role by user, as the list of members has it.
        func roles() async throws -> [Int64: String] {
            let list = try await stack.system.get("\(path)/members", as: owner.credentials).require(200, "members")
            return (list.json["items"]?.array ?? []).reduce(into: [:]) { roles, member in
                roles[member["userId"]?.int ?? 0] = member["role"]?.string
            }
        }
    }

    @Test func `members are listed with their roles, page by page`() async throws {
        let cast = try await Cast.make()
        #expect(
            try await cast.roles() == [
                cast.owner.userID: "owner", cast.admin.userID: "admin", cast.otherAdmin.userID: "admin",
                cast.member.userID: "member", cast.otherMember.userID: "member",
            ])
        var seen: [Int64] = []
        var query = "?limit=2"
        for _ in 0..<4 {
            let page = try await cast.stack.system.get("\(cast.path)/members\(query)", as: cast.member.credentials).json
            seen += (page["items"]?.array ?? []).compactMap { $0["userId"]?.int }
            guard let cursor = page["nextCursor"]?.string else { break }
            query = "?limit=2&cursor=\(cursor)"
        }
        #expect(seen.count == 5)
        #expect(Set(seen).count == 5)
    }

    @Test func `admins and the owner add members; the owner gives roles`() async throws {
        let cast = try await Cast.make()
        let guests = try await cast.stack.users(4)
        func isForbidden(_ answer: RESTResponse) -> Bool { answer.status == 403 && answer.code == "forbidden" }
        #expect(isForbidden(try await cast.add(guests[0], as: cast.member)))
        #expect(isForbidden(try await cast.add(guests[0], role: "admin", as: cast.admin)))
        let added = try await cast.add(guests[0], as: cast.admin)
        #expect(added.status == 201)
        #expect(added.json["role"] == "member")
        #expect(try await cast.add(guests[1], role: "admin", as: cast.owner).json["role"] == "admin")
        let second = try await cast.add(guests[2], role: "owner", as: cast.owner)
        #expect(second.status == 422)
        #expect(second.fields == ["role"])
        let twice = try await cast.add(guests[0], as: cast.owner)
        #expect(twice.status == 409)
        #expect(twice.code == "already_member")
        // A newcomer posts and reads.
        try await cast.stack.say("hello", in: cast.roomID, as: guests[0])
        let nobody = try await cast.stack.system.post(
            "\(cast.path)/members", ["userId": .integer(Int64.max)], as: cast.owner.credentials)
        #expect(nobody.status == 422)
        #expect(nobody.fields == ["userId"])
    }

    @Test func `admins remove members, the owner also admins; nobody removes the owner`() async throws {
        let cast = try await Cast.make()
        for (user, actor) in [
            (cast.otherMember, cast.member), (cast.admin, cast.member), (cast.owner, cast.member),
            (cast.otherAdmin, cast.admin), (cast.owner, cast.admin),
        ] {
            let refused = try await cast.remove(user, as: actor)
            #expect(refused.status == 403)
            #expect(refused.code == "forbidden")
        }
        #expect(try await cast.roles().count == 5)
        #expect(try await cast.remove(cast.member, as: cast.admin).status == 204)
        #expect(try await cast.remove(cast.otherAdmin, as: cast.owner).status == 204)
        #expect(try await cast.remove(cast.otherMember, as: cast.owner).status == 204)
        let gone = try await cast.remove(cast.member, as: cast.owner)
        #expect(gone.status == 404)
        #expect(gone.code == "member_not_found")
        #expect(try await cast.stack.system.get(cast.path, as: cast.member.credentials).status == 404)
        #expect(Set(try await cast.roles().keys) == [cast.owner.userID, cast.admin.userID])
    }

    @Test func `admins and the owner rename; the owner changes roles and archives`() async throws {
        let cast = try await Cast.make()
        func rename(_ user: TestUser) async throws -> RESTResponse {
            try await cast.stack.system.send(.patch, cast.path, ["name": "New"], as: user.credentials)
        }
        func archive(_ user: TestUser) async throws -> RESTResponse {
            try await cast.stack.system.send(.delete, cast.path, as: user.credentials)
        }
        #expect(try await rename(cast.member).status == 403)
        #expect(try await rename(cast.admin).json["name"] == "New")
        #expect(try await rename(cast.owner).status == 200)
        // Two spellings of one text, which Swift takes for equal.
        for name in ["Caf\u{E9}", "Cafe\u{301}"] {
            let renamed = try await cast.stack.system.send(
                .patch, cast.path, ["name": .string(name)], as: cast.owner.credentials)
            #expect(renamed.json["name"]?.string.map { Array($0.utf8) } == Array(name.utf8))
        }

        #expect(try await cast.setRole("admin", of: cast.otherMember, as: cast.member).status == 403)
        #expect(try await cast.setRole("admin", of: cast.otherMember, as: cast.admin).status == 403)
        let risen = try await cast.setRole("admin", of: cast.otherMember, as: cast.owner)
        #expect(risen.status == 200)
        #expect(risen.json["role"] == "admin")
        #expect(try await cast.setRole("member", of: cast.otherMember, as: cast.owner).json["role"] == "member")
        #expect(try await cast.setRole("owner", of: cast.member, as: cast.owner).status == 422)
        #expect(try await cast.setRole("member", of: cast.owner, as: cast.owner).status == 409)

        #expect(try await archive(cast.member).status == 403)
        #expect(try await archive(cast.admin).status == 403)
        #expect(try await archive(cast.owner).status == 200)
    }

    @Test func `the next owner is the senior admin, else the senior member who has posted`() async throws {
        let stack = try await SharedStack.running()
        let users = try await stack.users(5)
        let roomID = try await stack.room("public", of: users[0])
        let path = "/api/v1/rooms/\(roomID)"
        for user in users[1...] {
            try await stack.system.send(.post, "\(path)/join", as: user.credentials).require(200, "join")
        }
        try await stack.system.send(
            .patch, "\(path)/members/\(users[2].userID)", ["role": "admin"], as: users[0].credentials
        ).require(200, "role")
        for user in [users[4], users[3]] { try await stack.say("Hello", in: roomID, as: user) }
        func leave(_ user: TestUser) async throws {
            try await stack.system.send(.post, "\(path)/leave", as: user.credentials).require(204, "leave")
        }
        let before = try await stack.room(roomID, as: users[1])["lastSeq"]?.int ?? 0
        try await leave(users[0])
        #expect(try await stack.room(roomID, as: users[1])["ownerId"] == .integer(users[2].userID))
        try await leave(users[2])
        #expect(try await stack.room(roomID, as: users[1])["ownerId"] == .integer(users[3].userID))
        // One who is no owner just leaves.
        try await leave(users[4])
        // Who has said nothing does not come to own what others leave behind.
        try await leave(users[3])
        #expect(try await stack.room(roomID, as: users[1])["ownerId"] == nil)
        #expect(try await stack.room(roomID, as: users[1])["archivedAt"] == nil)
        try await leave(users[1])

        let log = try await stack.log(of: roomID, as: users[3], after: before)
        #expect(
            log.map { $0["eventType"]?.string } == [
                "member_left", "member_role_changed", "member_left", "member_role_changed", "member_left",
                "member_left", "member_left", "room_archived",
            ])
        #expect(log[1]["userId"] == .integer(users[2].userID))
        #expect(log[1]["role"] == "owner")
        #expect(log[3]["userId"] == .integer(users[3].userID))
        let room = try await stack.room(roomID, as: users[3])
        #expect(room["archivedAt"]?.string != nil)
        #expect(room["ownerId"] == nil)
        #expect(room["memberCount"] == 0)
        let late = try await stack.system.send(.post, "\(path)/join", as: users[3].credentials)
        #expect(late.status == 409)
        #expect(late.code == "room_archived")
    }

    @Test func `joining twice changes nothing, and removing oneself is leaving`() async throws {
        let stack = try await SharedStack.running()
        let (owner, guest) = (try await stack.user(), try await stack.user())
        let roomID = try await stack.room("public", of: owner)
        let path = "/api/v1/rooms/\(roomID)"
        for _ in 0..<2 {
            let joined = try await stack.system.send(.post, "\(path)/join", as: guest.credentials)
            #expect(joined.status == 200)
            #expect(joined.json["memberCount"] == 2)
        }
        let removed = try await stack.system.send(.delete, "\(path)/members/\(guest.userID)", as: guest.credentials)
        #expect(removed.status == 204)
        let log = try await stack.log(of: roomID, as: owner)
        #expect(log.map { $0["eventType"]?.string } == ["member_joined", "member_left"])
        let again = try await stack.system.send(.post, "\(path)/leave", as: guest.credentials)
        #expect(again.status == 403)
        #expect(again.code == "not_a_member")
    }
}
