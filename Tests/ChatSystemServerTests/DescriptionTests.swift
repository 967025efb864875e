import ChatLocalStack
import ChatTestSupport
import CommonLogging
import CommonUtil
import Testing

@testable import ChatSystemServer
@testable import CommonServer

@Suite(.timeLimit(.minutes(2))) struct DescriptionTests {
    @Test func `routes and description name the same calls`() async throws {
        let folder = try PrivateFolder.temporary(prefix: "description")
        defer { PrivateFolder.remove(folder) }
        let environment = try ServerEnvironment(
            name: "Test", defaultPort: 0,
            configuration: try await ConfigurationSource(arguments: ["test"], environment: ["CHAT_DATA_DIR": folder]),
            metrics: PrometheusRegistry())
        var routes = try await buildSystemServer(environment).routes
        routes.addHealth(HealthRegistry())
        routes.addMetrics(environment.metrics)
        let description = try OpenAPIDescription(yaml: String(decoding: PackageResources.openapi_yaml, as: UTF8.self))
        // A description that describes itself is of no use to generators.
        #expect(routes.calls == description.calls.union(["GET /openapi.yaml"]))
    }

    @Test func `every call responds as described, in success and in failure`() async throws {
        let stack = try await SharedStack.running()
        let calls = try await DescribedCalls(stack.system)
        let users = try await stack.users(3)
        let (owner, member, stranger) = (users[0], users[1], users[2])
        try await accounts(calls, owner)
        try await rooms(calls, owner, member, stranger)
        try await administration(calls, stack)
        for path in ["/health/live", "/health/ready", "/metrics", "/docs", "/.well-known/jwks.json"] {
            try await calls.make("GET", path)
        }
        #expect(calls.differences == [])
        #expect(calls.missing == [])
    }

    private func accounts(_ calls: DescribedCalls, _ user: TestUser) async throws {
        let account: JSON = ["username": .string(Unique.name("u")), "password": .string(SharedStack.password)]
        try await calls.make("POST", "/api/v1/auth/register", account)
        try await calls.make("POST", "/api/v1/auth/register", account)
        try await calls.make("POST", "/api/v1/auth/register", ["username": "?"])
        let login = try await calls.make("POST", "/api/v1/auth/login", account)
        try await calls.make("POST", "/api/v1/auth/login", ["username": "nobody", "password": "wrong"])
        let token: JSON = ["refreshToken": login.json["refreshToken"] ?? .null]
        try await calls.make("POST", "/api/v1/auth/refresh", token)
        try await calls.make("POST", "/api/v1/auth/refresh", token)
        try await calls.make("POST", "/api/v1/auth/logout", token)
        let passwords: JSON = ["current": .string(user.password), "next": "another password"]
        for _ in 1...2 { try await calls.make("PUT", "/api/v1/users/me/password", passwords, as: user) }
        try await calls.make("PUT", "/api/v1/users/me/password", [:], as: user)
        try await calls.make("GET", "/api/v1/users/me", as: user)
        try await calls.make("GET", "/api/v1/users/me")
        try await calls.make("PATCH", "/api/v1/users/me", ["displayName": "Alice"], as: user)
        try await calls.make("PATCH", "/api/v1/users/me", ["whoMayAdd": "shared"], as: user)
        try await calls.make("PATCH", "/api/v1/users/me", [:], as: user)
        try await calls.make("GET", "/api/v1/users/{id}", at: ["\(user.userID)"], as: user)
        try await calls.make("GET", "/api/v1/users/{id}", at: ["\(Int64.max)"], as: user)
        try await calls.make("GET", "/api/v1/users", query: "?limit=1", as: user)
        try await calls.make("GET", "/api/v1/sessions", as: user)
        try await calls.make("DELETE", "/api/v1/sessions/{id}", at: ["1"], as: user)
        try await calls.make("POST", "/api/v1/auth/guest", ["displayName": "Visitor"])
        try await calls.make("POST", "/api/v1/auth/exchange", ["token": "a.b.c"])
        try await calls.make("POST", "/api/v1/auth/exchange", [:])
        let erased = try await SharedStack.running().user()
        try await calls.make("POST", "/api/v1/users/me/erase", ["password": "wrong"], as: erased)
        try await calls.make("POST", "/api/v1/users/me/erase", [:], as: erased)
        try await calls.make("POST", "/api/v1/users/me/erase", ["password": .string(erased.password)], as: erased)
        let leaving = try await SharedStack.running().user()
        for _ in 1...2 { try await calls.make("POST", "/api/v1/auth/logout-all", as: leaving) }
    }

    private func administration(_ calls: DescribedCalls, _ stack: SharedStack) async throws {
        let key = try await stack.key(.keys, .users, .rooms)
        let newKey: JSON = [
            "name": .string(Unique.name("key")), "scopes": ["rooms"], "expiresAt": "2999-01-01T00:00:00Z",
        ]
        for _ in 1...2 { try await calls.make("POST", "/api/v1/admin/keys", newKey, with: key) }
        try await calls.make("POST", "/api/v1/admin/keys", [:], with: key)
        try await calls.make("GET", "/api/v1/admin/keys", with: key)
        for _ in 1...2 {
            try await calls.make(
                "DELETE", "/api/v1/admin/keys/{name}", at: [newKey["name"]?.string ?? ""], with: key)
        }
        let external = Unique.name("ext")
        let path = "/api/v1/admin/users/{user}"
        try await calls.make("PUT", path, at: [external], with: key)
        for _ in 1...2 { try await calls.make("PUT", path, at: [external], ["displayName": "Ann"], with: key) }
        try await calls.make("PUT", path, at: [external], ["username": "?"], with: key)
        try await calls.make("GET", "/api/v1/users/by-external-id/{externalId}", at: [external], with: key)
        let user = ["ext:\(external)"]
        try await calls.make("POST", "\(path)/tokens", at: user, with: key)
        try await calls.make("POST", "\(path)/tokens", at: user, ["ttlSeconds": 0], with: key)
        try await calls.make("POST", "\(path)/sign-out", at: user, with: key)
        try await calls.make("GET", "/api/v1/admin/users", query: "?limit=1", with: key)
        let room = [Unique.name("room")]
        let members: JSON = .array([["userId": .string(user[0]), "role": "owner"]])
        let wanted: JSON = ["name": "Put", "type": "group", "members": members]
        for _ in 1...2 { try await calls.make("PUT", "/api/v1/admin/rooms/{roomId}", at: room, wanted, with: key) }
        try await calls.make("PUT", "/api/v1/admin/rooms/{roomId}", at: room, ["type": "public"], with: key)
        try await calls.make("PUT", "/api/v1/admin/rooms/{roomId}", at: room, ["members": 1], with: key)
        try await calls.make("GET", "/api/v1/admin/rooms", query: "?limit=1", with: key)
        // Imports are no JSON.
        try await calls.make("POST", "/api/v1/admin/import", [:], with: key)
        for _ in 1...2 { try await calls.make("DELETE", path, at: user, with: key) }
    }

    private func rooms(
        _ calls: DescribedCalls, _ owner: TestUser, _ member: TestUser, _ stranger: TestUser
    ) async throws {
        let made = try await calls.make("POST", "/api/v1/rooms", ["name": "Lobby", "type": "public"], as: owner)
        let room = [made.json["roomId"]?.string ?? ""]
        let direct: JSON = ["type": "direct", "memberIds": [.integer(member.userID)]]
        for _ in 1...2 { try await calls.make("POST", "/api/v1/rooms", direct, as: owner) }
        try await calls.make("GET", "/api/v1/rooms/public", query: "?limit=1", as: owner)
        let path = "/api/v1/rooms/{id}"
        try await calls.make("POST", path + "/join", at: room, as: member)
        try await calls.make("GET", path, at: room, as: stranger)
        try await calls.make("PATCH", path, at: room, ["name": "Hall"], as: owner)
        try await calls.make("PATCH", path, at: room, ["name": "Hall"], as: member)
        try await calls.make("PUT", path + "/read", at: room, ["seq": 1], as: member)
        try await calls.make("PUT", path + "/read", at: room, ["seq": 1], as: stranger)
        let joining: JSON = ["userId": .integer(stranger.userID)]
        for _ in 1...2 { try await calls.make("POST", path + "/members", at: room, joining, as: owner) }
        try await calls.make("GET", path + "/members", at: room, query: "?limit=1", as: owner)
        let one = room + ["\(stranger.userID)"]
        try await calls.make("PATCH", path + "/members/{userId}", at: one, ["role": "admin"], as: owner)
        try await calls.make("DELETE", path + "/members/{userId}", at: one, as: owner)
        try await calls.make("DELETE", path + "/members/{userId}", at: one, as: owner)
        try await SharedStack.running().say("Hello", in: room[0], as: owner)
        try await calls.make("GET", "/api/v1/rooms", query: "?limit=1", as: member)
        try await calls.make("POST", path + "/leave", at: room, as: member)
        try await calls.make("DELETE", path, at: room, as: owner)
        try await calls.make("PATCH", path, at: room, ["name": "Hall"], as: owner)
        try await calls.make("GET", path, at: room, as: owner)
    }

    @Test func `the page needs no script and shows every call`() async throws {
        let stack = try await SharedStack.running()
        let page = try await stack.system.get("/docs").require(200, "docs")
        #expect(page.header("Content-Type") == "text/html; charset=utf-8")
        let policy = try #require(page.header("Content-Security-Policy"))
        #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"))
        #expect(page.header("X-Content-Type-Options") == "nosniff")
        #expect(!page.text.contains("<script"))
        let description = APIDescription(yaml: PackageResources.openapi_yaml)
        let calls = try OpenAPIDescription(yaml: description.text).calls
        #expect(Set(description.calls.map { "\($0.method) \($0.path)" }) == calls)
        for call in description.calls {
            #expect(!call.summary.isEmpty, "\(call.path)")
            #expect(page.text.contains("</b> <code>\(call.path)</code>"), "\(call.path)")
        }
    }
}
