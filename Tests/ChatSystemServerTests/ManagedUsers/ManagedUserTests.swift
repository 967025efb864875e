import ChatLocalStack
@testable import ChatTestSupport
import CommonUtil
import Foundation
import Testing

@Suite(.timeLimit(.minutes(2))) struct ManagedUserTests {
    private func path(_ user: String) -> String {
        "/api/v1/admin/users/" + (user.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
    }

    private func put(_ stack: SharedStack, _ key: TestKey, _ externalID: String, _ body: JSON = [:]) async throws
        -> RESTResponse
    {
        try await stack.system.send(.put, path(externalID), body, as: key.credentials)
    }

    /// A new user of the backend's, signed in by it.
    private func signedIn(
        _ stack: SharedStack, _ key: TestKey, _ externalID: String = Unique.name("ext/é ")
    ) async throws -> TestUser {
        let user = try await put(stack, key, externalID).require(201, "put").json
        let token = try await stack.system.send(
            .post, "\(path("ext:" + externalID))/tokens", as: key.credentials
        ).require(201, "token").json
        return TestUser(
            userID: user["userId"]?.int ?? 0, username: externalID, password: "",
            credentials: .token(token["accessToken"]?.string ?? ""), refreshToken: "")
    }

    // MARK: Making and changing

    @Test func `a user is made at first, and changed from then on`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        // Compared as it is: with a slash, a space, a control character and a composed letter.
        let externalID = Unique.name("Ann/é\n") + String(repeating: "x", count: 60)
        let made = try await put(stack, key, externalID).require(201, "put").json
        #expect(made["externalId"]?.string == externalID && made["disabled"] == false && made["username"] == nil)
        let name = externalID.replacing("\n", with: "")
        #expect(made["displayName"]?.string == String(name.unicodeScalars.prefix(64).map(Character.init)))
        let username = Unique.name("ann")
        let changed = try await put(
            stack, key, externalID, ["displayName": "Ann", "username": .string(username.uppercased())]
        ).require(200, "change").json
        #expect(changed["userId"] == made["userId"] && changed["displayName"] == "Ann")
        #expect(changed["username"]?.string == username)
        // What is not named stays.
        #expect(try await put(stack, key, externalID).json == changed)
        #expect(try await put(stack, key, externalID.replacing("é", with: "e\u{301}")).status == 201)
        // She is found by all of her names.
        let reader = try await stack.user()
        for query in [username, "Ann"] {
            let found = try await stack.system.get("/api/v1/users?query=\(query)&limit=100", as: reader.credentials)
                .json
            #expect(found["items"]?.array?.contains { $0["userId"] == made["userId"] } == true, "\(query)")
        }
        let encoded = externalID.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let byID = try await stack.system.get("/api/v1/users/by-external-id/\(encoded)", as: reader.credentials)
        #expect(byID.status == 200 && byID.json["userId"] == made["userId"])
    }

    @Test func `a name that is taken and bad fields are refused, and nothing is done`() async throws {
        let stack = try await SharedStack.running()
        let (key, holder) = (try await stack.key(.users), try await stack.user())
        let externalID = Unique.name("ext")
        let taken = try await put(stack, key, externalID, ["username": .string(holder.username)])
        #expect(taken.status == 409 && taken.code == "username_taken")
        let bad: [(JSON, String)] = [
            (["username": "ab"], "username"), (["username": "a b c"], "username"), (["displayName": ""], "displayName"),
            (["disabled": "yes"], "disabled"), (["displayName": 1], "displayName"),
        ]
        for (body, field) in bad {
            let refused = try await put(stack, key, externalID, body)
            #expect(refused.status == 422 && refused.fields == [field], "\(body.text)")
        }
        #expect(try await put(stack, key, String(repeating: "x", count: 129)).status == 422)
        let missing = try await stack.system.get("/api/v1/users/by-external-id/\(externalID)", as: holder.credentials)
        #expect(missing.status == 404 && missing.code == "user_not_found")
    }

    @Test func `many at once make one user`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        let externalID = Unique.name("ext")
        let answers = try await withThrowingTaskGroup(of: RESTResponse.self) { group in
            for _ in 0..<10 { group.addTask { try await put(stack, key, externalID, ["displayName": "Ann"]) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.map(\.status).sorted() == [200, 200, 200, 200, 200, 200, 200, 200, 200, 201])
        #expect(Set(answers.map { $0.json["userId"]?.int }).count == 1)
    }

    @Test func `all users are listed page by page, those without a username too`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        var made: Set<Int64> = []
        for _ in 0..<3 {
            made.insert(try await put(stack, key, Unique.name("ext")).json["userId"]?.int ?? 0)
        }
        for path in ["/api/v1/admin/users", "/api/v1/users"] {
            var seen: Set<Int64> = []
            var cursor = ""
            while true {
                let page = try await stack.system.get("\(path)?limit=100\(cursor)", as: key.credentials)
                    .require(200, path).json
                seen.formUnion((page["items"]?.array ?? []).compactMap { $0["userId"]?.int })
                guard let next = page["nextCursor"]?.string else { break }
                cursor = "&cursor=\(next)"
            }
            #expect(seen.isSuperset(of: made), "\(path)")
            #expect(try await stack.system.get("\(path)?cursor=x", as: key.credentials).status == 422)
        }
    }

    // MARK: Signing in and out

    @Test func `a token of the backend is good everywhere until the user is signed out`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        let user = try await signedIn(stack, key)
        let roomID = try await stack.room(of: user)
        let signIn = SignIn(stack, user, roomID)
        #expect(try await signIn.isTaken())
        let sockets = try await signIn.sockets()
        #expect(
            try await stack.system.send(
                .post, "\(path("\(user.userID)"))/sign-out", as: key.credentials
            ).status == 204)
        try await SignIn.expectClosed(sockets)
        try await signIn.isRefused()
    }

    @Test func `the lifetime of a token is what was asked for`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        let user = try await put(stack, key, Unique.name("ext")).json["userId"]?.int ?? 0
        func token(_ body: JSON) async throws -> RESTResponse {
            try await stack.system.send(.post, "\(path("\(user)"))/tokens", body, as: key.credentials)
        }
        #expect(try await token(["ttlSeconds": 86_400]).json["expiresIn"] == 86_400)
        #expect(try await token([:]).json["expiresIn"] == 900)
        for wrong in [JSON.integer(0), 86_401, "900"] {
            #expect(try await token(["ttlSeconds": wrong]).fields == ["ttlSeconds"])
        }
        for nobody in ["9007199254740991", "ext:nobody"] {
            for call in ["tokens", "sign-out"] {
                let missing = try await stack.system.send(.post, "\(path(nobody))/\(call)", as: key.credentials)
                #expect(missing.status == 404 && missing.code == "user_not_found", "\(nobody) \(call)")
            }
        }
        #expect(try await stack.system.send(.post, "\(path("x"))/tokens", as: key.credentials).status == 422)
    }

    @Test func `a disabled user is signed out and cannot sign in, until enabled`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms)
        let externalID = Unique.name("ext")
        let user = try await signedIn(stack, key, externalID)
        let signIn = SignIn(stack, user, try await stack.room(of: user))
        let sockets = try await signIn.sockets()
        #expect(try await put(stack, key, externalID, ["disabled": true]).json["disabled"] == true)
        try await SignIn.expectClosed(sockets)
        try await signIn.isRefused()
        let token = try await stack.system.send(
            .post, "\(path("ext:" + externalID))/tokens", as: key.credentials)
        #expect(token.status == 403 && token.code == "user_disabled")
        let onBehalf = try await stack.system.get(
            "/api/v1/rooms", as: key.credentials, headers: TestKey.onBehalf(of: user))
        #expect(onBehalf.status == 403 && onBehalf.code == "user_disabled")
        #expect(try await put(stack, key, externalID, ["disabled": false]).json["disabled"] == false)
        #expect(
            try await stack.system.send(.post, "\(path("ext:" + externalID))/tokens", as: key.credentials).status == 201
        )
    }

    // MARK: Naming users by external ids

    @Test func `a key names users by external ids wherever an id stands`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users, .rooms, .messages)
        let externalIDs = [Unique.name("a/b"), Unique.name("c d"), Unique.name("é")]
        var userIDs: [JSON] = []
        for id in externalIDs { userIDs.append(try await put(stack, key, id).json["userId"] ?? .null) }
        let names = externalIDs.map { JSON.string("ext:" + $0) }
        let room = try await stack.system.post(
            "/api/v1/rooms", ["name": "Named", "type": "group", "memberIds": .array([names[0], names[1]])],
            as: key.credentials
        ).require(201, "room").json
        let roomPath = "/api/v1/rooms/\(room["roomId"]?.string ?? "")"
        let added = try await stack.system.post(
            "\(roomPath)/members", ["userId": names[2], "role": "admin"], as: key.credentials)
        #expect(added.status == 201 && added.json["userId"] == userIDs[2])
        let encoded = "ext%3A" + (externalIDs[0].addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        #expect(
            try await stack.system.send(
                .patch, "\(roomPath)/members/\(encoded)", ["role": "admin"], as: key.credentials
            ).status == 200)
        #expect(
            try await stack.system.send(.delete, "\(roomPath)/members/\(encoded)", as: key.credentials).status == 204)
        #expect(
            try await stack.system.get("/api/v1/users/\(encoded)", as: key.credentials).json["userId"] == userIDs[0])
        let mine = try await stack.system.get(
            "/api/v1/rooms", as: key.credentials,
            headers: TestKey.onBehalf(of: "ext:c%20d" + externalIDs[1].dropFirst(3)))
        #expect(mine.json["items"]?.array?.count == 1)
        let post = try await stack.messages().post(
            "/api/v1/messages",
            [
                "roomId": room["roomId"] ?? .null, "messageType": "text", "payload": ["text": "Hello"],
                "senderId": names[2],
            ], as: key.credentials)
        #expect(post.status == 201 && post.json["senderId"] == userIDs[2])
        // Unknown ones are no users, and for users ext: is no id.
        let unknown: JSON = ["userId": "ext:nobody"]
        #expect(try await stack.system.post("\(roomPath)/members", unknown, as: key.credentials).fields == ["userId"])
        #expect(try await stack.system.get("/api/v1/users/ext:nobody", as: key.credentials).status == 404)
        let user = try await stack.user()
        #expect(try await stack.system.get("/api/v1/users/\(encoded)", as: user.credentials).status == 422)
        let asUser = try await stack.system.post(
            "/api/v1/rooms", ["name": "x", "type": "group", "memberIds": [names[0]]], as: user.credentials)
        #expect(asUser.status == 422 && asUser.fields == ["memberIds[0]"])
    }

    @Test func `external ids can be for keys and oneself only`() async throws {
        let stack = try await SharedStack.running()
        let key = try await stack.key(.users)
        let externalID = Unique.name("ext")
        let user = try await signedIn(stack, key, externalID)
        let other = try await stack.user()
        try await stack.withServer(.system, ["CHAT_EXTERNAL_IDS": "keys"]) { server in
            let client = RESTClient(baseURL: server.url)
            let byID = "/api/v1/users/by-external-id/\(externalID)"
            for (caller, isSeen) in [(key.credentials, true), (user.credentials, true), (other.credentials, false)] {
                let shown = try await client.get("/api/v1/users/\(user.userID)", as: caller).require(200, "user").json
                #expect((shown["externalId"]?.string == externalID) == isSeen)
                #expect(try await client.get(byID, as: caller).status == (isSeen ? 200 : 404))
                let found = try await client.get("/api/v1/users?query=\(externalID)", as: caller).json
                #expect(found["items"]?[0]?["externalId"]?.string == (isSeen ? externalID : nil))
            }
            #expect(try await client.get("/api/v1/users/me", as: user.credentials).json["externalId"] != nil)
        }
        let shown = try await stack.system.get("/api/v1/users/\(user.userID)", as: other.credentials).json
        #expect(shown["externalId"]?.string == externalID)
    }
}
