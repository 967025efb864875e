import ChatLocalStack
import Foundation
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(1))) struct SignInFileTests {
    private func withFile(_ body: (SignInFile, String) async throws -> Void) async throws {
        let folder = try PrivateFolder.temporary(prefix: "chat-test")
        defer { PrivateFolder.remove(folder) }
        try await body(SignInFile(folder: folder + "/client", url: "http://a:1"), folder + "/client")
    }

    private let signIn = SignIn(userID: 7, username: "a", refreshToken: "r", accessToken: "t", expiresAt: 100_000)

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func `a sign-in is kept for its owner alone`() async throws {
        try await withFile { file, folder in
            #expect(try file.load() == nil)
            try file.save(signIn)
            #expect(try file.load() == signIn)
            #expect(try mode(folder) == 0o700 && mode(folder + "/sign-ins") == 0o700)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/sign-ins")
            #expect(names.count == 1)
            #expect(try mode(folder + "/sign-ins/" + (names.first ?? "")) == 0o600)
            try file.delete()
            try file.delete()
            #expect(try file.load() == nil)
        }
    }

    @Test func `another address has another sign-in`() async throws {
        try await withFile { file, folder in
            try file.save(signIn)
            #expect(try SignInFile(folder: folder, url: "http://a:2").load() == nil)
            #expect(try SignInFile(folder: folder, url: "http://a:1/b").load() == nil)
        }
    }

    @Test func `one at a time has the lock`() async throws {
        try await withFile { file, _ in
            let counter = file
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await file.locked {
                            var kept =
                                try counter.load()
                                ?? SignIn(
                                    userID: 0, username: "", refreshToken: "", accessToken: "", expiresAt: 0)
                            kept.userID += 1
                            await Task.yield()
                            try counter.save(kept)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try file.load()?.userID == 8)
        }
    }

    @Test func `a token is fresh for as long as it has more than a minute`() {
        #expect(signIn.isFresh(now: 39_999))
        #expect(!signIn.isFresh(now: 40_000))
    }
}
