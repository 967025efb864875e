import ChatLocalStack
import ChatTestSupport
import CommonUtil
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct KeysTests {
    private func keys(_ place: ChatProgramPlace, _ arguments: String..., database: String? = nil) throws -> ChatProgram
    {
        try ChatProgram(
            ["keys"] + arguments, system: place.stack.processes.systemServer.url, folder: place.folder,
            environment: ["CHAT_DATABASE_URL": database ?? place.stack.environment["CHAT_DATABASE_URL"] ?? ""])
    }

    @Test func `a key is made, listed without itself, good at once, and revoked`() async throws {
        try await ChatProgramPlace.with { place in
            let name = Unique.name("cli")
            let create = try keys(place, "create", name, "--scope", "rooms", "--scope", "users", "--expires-days", "1")
            let lines = try await create.lines()
            #expect(await create.end() == .code(0))
            #expect(lines.count == 1 && lines[0].wholeMatch(of: /chat_[A-Za-z0-9_-]{43}/) != nil)
            let caller = Credentials.token(lines[0])
            #expect(try await place.stack.system.get("/api/v1/rooms", as: caller).status == 200)
            #expect(try await place.stack.system.get("/api/v1/admin/keys", as: caller).status == 403)

            let list = try keys(place, "list")
            let listed = try await list.lines()
            #expect(await list.end() == .code(0))
            let line = listed.first { $0.hasPrefix(name + "\t") }
            #expect(line?.contains("users,rooms") == true && line?.contains("expires 2") == true)
            #expect(!listed.contains { $0.contains("chat_") })

            #expect(try await keys(place, "create", name, "--scope", "rooms").end() == .code(65))
            #expect(try await keys(place, "revoke", name).end() == .code(0))
            #expect(try await keys(place, "revoke", name).end() == .code(65))
            let deadline = ContinuousClock.now + .seconds(30)
            while try await place.stack.system.get("/api/v1/rooms", as: caller).status != 401 {
                try #require(ContinuousClock.now < deadline)
                // There is no event to wait for but the response.
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    @Test func `what cannot be a key is refused before the database is asked`() async throws {
        try await ChatProgramPlace.with { place in
            let away = "postgres://chat@127.0.0.1:1/chat"
            for arguments in [
                ["create", "a", "--scope", "nothing"], ["create", "a"], ["create", "a b", "--scope", "rooms"],
                ["create", String(repeating: "a", count: 65), "--scope", "rooms"],
                ["create", "a", "--scope", "rooms", "--expires-days", "0"], ["create"], ["revoke"],
            ] {
                let program = try ChatProgram(
                    ["keys"] + arguments, system: "", folder: place.folder, environment: ["CHAT_DATABASE_URL": away])
                #expect(await program.end() == .code(64), "\(arguments)")
            }
            #expect(try await keys(place, "create", "a", "--scope", "rooms", database: "mysql://x").end() == .code(78))
        }
    }

    @Test func `a first key is made in an empty database`() async throws {
        try await ChatProgramPlace.with { place in
            let database = try await SharedEngines.database()
            #expect(try await keys(place, "create", "first", "--scope", "keys", database: database).end() == .code(0))
            #expect(try await keys(place, "list", database: database).lines().count == 1)
        }
    }
}
