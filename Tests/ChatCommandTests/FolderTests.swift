import ChatLocalStack
import CommonUtil
import Foundation
import Testing

@testable import ChatCommand

@Suite(.timeLimit(.minutes(2))) struct FolderTests {
    @Test func `the data folder belongs to one session at a time`() throws {
        let folder = try PrivateFolder.temporary(prefix: "chat-test")
        defer { PrivateFolder.remove(folder) }
        do {
            let lock = try FolderLock(folder)
            #expect(throws: LocalStackError.self) { _ = try FolderLock(folder) }
            withExtendedLifetime(lock) {}
        }
        _ = try FolderLock(folder)
    }

    @Test func `the data folder keeps the engines' ports`() throws {
        let folder = try PrivateFolder.temporary(prefix: "chat-test")
        defer { PrivateFolder.remove(folder) }
        let first = try KeptPorts.choose(in: folder)
        #expect(first.postgres != first.redis)
        #expect(try KeptPorts.choose(in: folder) == first)
    }

    @Test func `an operator's command uses the database that chat up has made, unless another one is set`() async throws
    {
        let folder = try PrivateFolder.temporary(prefix: "chat-test")
        defer { PrivateFolder.remove(folder) }
        func url(_ environment: [String: String] = [:]) async throws -> String {
            let named = [Settings.dataDirectory.name: folder].merging(environment) { $1 }
            return try await OperatorCommand.settings(environment: named).value(Settings.databaseURL)
        }
        // Nothing was made there yet.
        #expect(try await url() == Settings.databaseURL.defaultText)
        let ports = try KeptPorts.choose(in: folder)
        try PrivateFolder.create("\(folder)/postgres", mode: 0o711)
        #expect(try await url() == Settings.databaseURL.defaultText)
        try Data("secret".utf8).write(to: URL(fileURLWithPath: "\(folder)/postgres/password"))
        #expect(try await url() == "postgres://chat:secret@127.0.0.1:\(ports.postgres)/chat")
        let other = "postgres://other@127.0.0.1:1/other"
        #expect(try await url([Settings.databaseURL.name: other]) == other)
    }
}
