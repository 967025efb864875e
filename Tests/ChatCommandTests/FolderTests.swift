import ChatLocalStack
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
}
