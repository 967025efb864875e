import ChatLocalStack
@testable import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct GuestTests {
    private func withGuests(
        _ stack: SharedStack, _ body: (RESTClient, (String?) async throws -> TestUser) async throws -> Void
    ) async throws {
        try await stack.withServer(.system, ["CHAT_GUESTS": "on"]) { server in
            let client = RESTClient(baseURL: server.url)
            try await body(client) { name in
                let request: JSON = name.map { ["displayName": .string($0)] } ?? [:]
                let pair = try await client.post("/api/v1/auth/guest", request).require(201, "guest").json
                return TestUser(
                    userID: pair["userId"]?.int ?? 0, username: "", password: "",
                    credentials: .token(pair["accessToken"]?.string ?? ""),
                    refreshToken: pair["refreshToken"]?.string ?? "")
            }
        }
    }

    @Test func `there are no guests unless they are switched on`() async throws {
        let stack = try await SharedStack.running()
        let refused = try await stack.system.post("/api/v1/auth/guest", [:])
        #expect(refused.status == 403 && refused.code == "guests_off")
    }

    @Test func `a guest joins, reads and posts in public rooms, on every server`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let (open, hidden) = (try await stack.room("public", of: owner), try await stack.room("private", of: owner))
        try await withGuests(stack) { _, makeGuest in
            let guest = try await makeGuest("Visitor")
            let profile = try await stack.system.get("/api/v1/users/me", as: guest.credentials).json
            #expect(profile["displayName"] == "Visitor" && profile["username"] == nil)
            #expect(try await stack.log(of: open, as: guest).isEmpty)
            try await stack.system.send(.post, "/api/v1/rooms/\(open)/join", as: guest.credentials).require(200, "join")
            try await stack.say("Hello", in: open, as: guest)
            let socket = try await stack.readySocket(open, as: guest)
            socket.drop()
            #expect(
                try await stack.system.send(.post, "/api/v1/rooms/\(hidden)/join", as: guest.credentials).status == 404)
            // Refreshed like any other, and found by nobody.
            let refresh = try await stack.system.post(
                "/api/v1/auth/refresh", ["refreshToken": .string(guest.refreshToken)])
            #expect(refresh.status == 200)
            #expect(try await makeGuest(nil).userID != guest.userID)
            let found = try await stack.system.get("/api/v1/users?query=Visitor&limit=100", as: owner.credentials).json
            #expect(found["items"]?.array?.contains { $0["userId"] == .integer(guest.userID) } == false)
        }
    }

    @Test func `a guest makes no room and is added to none, and no key acts for it`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let roomID = try await stack.room(of: owner)
        let key = try await stack.key(.rooms)
        try await withGuests(stack) { client, makeGuest in
            let guest = try await makeGuest(nil)
            let id = JSON.integer(guest.userID)
            let refusals: [RESTResponse] = [
                try await client.post("/api/v1/rooms", ["name": "x", "type": "public"], as: guest.credentials),
                try await client.post(
                    "/api/v1/rooms", ["type": "direct", "memberIds": [.integer(owner.userID)]], as: guest.credentials),
                try await client.post(
                    "/api/v1/rooms", ["name": "x", "type": "group", "memberIds": [id]], as: owner.credentials),
                try await client.post(
                    "/api/v1/rooms", ["type": "direct", "memberIds": [id]], as: owner.credentials),
                try await client.post("/api/v1/rooms/\(roomID)/members", ["userId": id], as: owner.credentials),
                try await client.send(
                    .put, "/api/v1/admin/rooms/\(roomID)", ["members": [["userId": id]]], as: key.credentials),
                try await client.send(
                    .put, "/api/v1/admin/rooms/\(Unique.name())",
                    ["name": "x", "type": "group", "members": [["userId": id]]], as: key.credentials),
                try await client.get("/api/v1/rooms", as: key.credentials, headers: TestKey.onBehalf(of: guest)),
            ]
            for (index, refused) in refusals.enumerated() {
                #expect(refused.status == 403 && refused.code == "guest", "\(index): \(refused)")
            }
            #expect(try await stack.room(roomID, as: owner)["memberCount"] == 1)
        }
    }

    @Test func `a guest whose day is over is erased and signed out, another guest is not`() async throws {
        let stack = try await SharedStack.running()
        let owner = try await stack.user()
        let open = try await stack.room("public", of: owner)
        try await withGuests(stack) { _, makeGuest in
            let (old, new) = (try await makeGuest("Old"), try await makeGuest("New"))
            for guest in [old, new] {
                try await stack.system.send(.post, "/api/v1/rooms/\(open)/join", as: guest.credentials)
                    .require(200, "join")
            }
            let post = try await stack.say("I was here", in: open, as: old)
            let sockets = try await SignIn(stack, old, open).sockets()
            let remaining = try await stack.readySocket(open, as: new)
            defer { remaining.drop() }
            try await stack.endTime(ofGuest: old.userID)
            try await SignIn.expectClosed(sockets)
            // The message stays, the membership does not.
            try await remaining.event("left") {
                $0["eventType"] == "member_left" && $0["userId"] == .integer(old.userID)
            }
            var profile = try await stack.system.get("/api/v1/users/\(old.userID)", as: owner.credentials)
            let deadline = ContinuousClock.now + .seconds(30)
            // The names go last, and no event says so.
            while profile.json["isErased"] != true, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
                profile = try await stack.system.get("/api/v1/users/\(old.userID)", as: owner.credentials)
            }
            #expect(profile.json == ["userId": .integer(old.userID), "isErased": true])
            let log = try await stack.log(of: open, as: new)
            #expect(log.contains { $0["messageId"] == post["messageId"] && $0["isDeleted"] == false })
            #expect(try await stack.system.get("/api/v1/users/me", as: new.credentials).json["displayName"] == "New")
        }
    }
}
