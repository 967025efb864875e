import ChatLocalStack
import ChatTestSupport
import Foundation
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct LoginTests {
    private func login(_ place: ChatProgramPlace, password: String? = nil) async throws -> ChatProgram.End {
        let login = try place.chatWithoutToken("login", place.user.username, "--password-stdin")
        try login.write((password ?? place.user.password) + "\n")
        return await login.end()
    }

    @Test func `a sign-in serves the other commands until the logout`() async throws {
        try await ChatProgramPlace.with { place in
            #expect(try await place.chatWithoutToken("rooms").end() == .code(77))
            #expect(try await place.chatWithoutToken("logout").end() == .code(77))
            #expect(try await login(place, password: "wrong password") == .code(77))
            #expect(try await login(place) == .code(0))
            let room = try await place.stack.room("public", of: place.user)
            let rooms = try place.chatWithoutToken("rooms", "--json")
            #expect(try await rooms.lines().first?.contains("\"roomId\":\"\(room)\"") == true)
            #expect(await rooms.end() == .code(0))
            #expect(try await place.chatWithoutToken("logout").end() == .code(0))
            #expect(try await place.chatWithoutToken("rooms").end() == .code(77))
        }
    }

    @Test func `processes that need a new token at the same time share one, and nobody is signed out`() async throws {
        try await ChatProgramPlace.with { place in
            let room = try await place.stack.room(of: place.user)
            #expect(try await login(place) == .code(0))
            let file = SignInFile(folder: place.folder, url: place.stack.processes.systemServer.url)
            for round in 0..<3 {
                var old = try #require(try file.load())
                old.expiresAt = 0
                try file.save(old)
                let posts = try (0..<5).map { try place.chatWithoutToken("post", room, "\(round)-\($0)") }
                for post in posts { #expect(await post.end() == .code(0)) }
                #expect(try file.load()?.refreshToken != old.refreshToken)
            }
            #expect(try await place.stack.log(of: room, as: place.user).count == 15)
        }
    }

    @Test func `a sign-in that was ended elsewhere is forgotten`() async throws {
        try await ChatProgramPlace.with { place in
            #expect(try await login(place) == .code(0))
            try await place.stack.system.post("/api/v1/auth/logout-all", [:], as: place.user.credentials)
                .require(204, "logout-all")
            let file = SignInFile(folder: place.folder, url: place.stack.processes.systemServer.url)
            var kept = try #require(try file.load())
            kept.expiresAt = 0
            try file.save(kept)
            #expect(try await place.chatWithoutToken("rooms").end() == .code(77))
            #expect(try file.load() == nil)
        }
    }

    @Test func `a trusted user needs no sign-in`() async throws {
        let stack = try await SharedStack.running(.trusted)
        let room = Unique.name("room")
        let post = try ChatProgram(
            ["post", room, "hi", "--trusted-user", "7", "--json"], system: stack.processes.systemServer.url,
            folder: "/nonexistent")
        #expect(try await post.line()?.contains("\"seq\":1") == true)
        #expect(await post.end() == .code(0))
    }

    @Test func `a server that does not answer is 69`() async throws {
        let program = try ChatProgram(
            ["login", "a", "--password-stdin"], system: "http://127.0.0.1:1", folder: "/nonexistent")
        try program.write("a long password\n")
        #expect(await program.end() == .code(69))
    }
}
