import ChatTestSupport
import CommonUtil
import Testing

@Suite(.timeLimit(.minutes(2))) struct KeyRouteTests {
    private static let path = "/api/v1/admin/keys"

    private func body(_ name: String, _ scopes: [String], expiresAt: String? = nil) -> JSON {
        var body: [String: JSON] = ["name": .string(name), "scopes": .array(scopes.map { .string($0) })]
        if let expiresAt { body["expiresAt"] = .string(expiresAt) }
        return .object(body)
    }

    @Test func `a key makes keys with its own scopes, lists them without secrets and revokes them`() async throws {
        let stack = try await SharedStack.running()
        let root = try await stack.key(.keys, .rooms)
        let name = Unique.name("made")
        let made = try await stack.system.post(Self.path, body(name, ["rooms"]), as: root.credentials)
            .require(201, "make a key")
        #expect(made.header("Cache-Control") == "no-store")
        let secret = try #require(made.json["key"]?.string)
        #expect(made.json["scopes"] == ["rooms"] && made.json["name"]?.string == name)
        // It is good at once, everywhere that has rooms.
        let caller = Credentials.token(secret)
        #expect(try await stack.system.get("/api/v1/rooms", as: caller).status == 200)
        let list = try await stack.system.get(Self.path, as: root.credentials).require(200, "list")
        #expect(list.json["items"]?.array?.contains { $0["name"]?.string == name } == true)
        #expect(!list.text.contains("chat_") && !list.text.contains("hash"))

        #expect(
            try await stack.system.post(Self.path, body(name, ["rooms"]), as: root.credentials).code == "key_name_taken"
        )
        for scope in ["users", "messages", "changes"] {
            let refused = try await stack.system.post(
                Self.path, body(Unique.name(), ["rooms", scope]), as: root.credentials)
            #expect(refused.status == 403 && refused.code == "scope")
        }
        #expect(try await stack.system.send(.delete, "\(Self.path)/\(name)", as: root.credentials).status == 204)
        #expect(try await stack.system.get("/api/v1/rooms", as: caller).status == 401)
        let again = try await stack.system.send(.delete, "\(Self.path)/\(name)", as: root.credentials)
        #expect(again.status == 404 && again.code == "key_not_found")
    }

    @Test func `bad bodies are 422 and name the field`() async throws {
        let stack = try await SharedStack.running()
        let root = try await stack.key(.keys, .rooms)
        let bad: [(JSON, String)] = [
            (body("", ["rooms"]), "name"), (body("a b", ["rooms"]), "name"),
            (body(String(repeating: "a", count: 65), ["rooms"]), "name"), (body("a", []), "scopes"),
            (body("a", ["nothing"]), "scopes[0]"), (["name": "a"], "scopes"),
            (["name": "a", "scopes": "rooms"], "scopes"),
            (body("a", ["rooms"], expiresAt: "tomorrow"), "expiresAt"),
            (body("a", ["rooms"], expiresAt: "2020-01-01T00:00:00Z"), "expiresAt"),
            (body("a", ["rooms"], expiresAt: "2999-02-30T00:00:00Z"), "expiresAt"),
        ]
        for (body, field) in bad {
            let refused = try await stack.system.post(Self.path, body, as: root.credentials)
            #expect(refused.status == 422 && refused.fields == [field], "\(body.text)")
        }
    }

    @Test(arguments: [SharedStack.Mode.token, .trusted])
    func `administration is for keys with the scope, and for the installation`(mode: SharedStack.Mode) async throws {
        let stack = try await SharedStack.running(mode)
        let user = try await stack.user()
        let (root, other) = (try await stack.key(.keys), try await stack.key(.rooms, .users, .messages, .changes))
        #expect(try await stack.system.get(Self.path).status == 401)
        for caller in [user.credentials, other.credentials] {
            let refused = try await stack.system.get(Self.path, as: caller)
            #expect(refused.status == 403 && refused.code == "scope")
        }
        let onBehalf = try await stack.system.get(
            Self.path, as: root.credentials, headers: TestKey.onBehalf(of: user))
        #expect(onBehalf.status == 403 && onBehalf.code == "forbidden")
        #expect(try await stack.system.get(Self.path, as: root.credentials).status == 200)
    }

    @Test func `an expired key is refused`() async throws {
        let stack = try await SharedStack.running()
        let expired = try await stack.key(
            .rooms, expiresAt: Timestamp(microseconds: Timestamp.now.microseconds - 1_000))
        let refused = try await stack.system.get("/api/v1/rooms", as: expired.credentials)
        #expect(refused.status == 401 && refused.code == "invalid_token")
    }
}
