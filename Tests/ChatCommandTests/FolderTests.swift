import ChatLocalStack
import Testing

@testable import ChatCommand

@Suite("The data folder of chat up", .timeLimit(.minutes(2)))
struct FolderTests {
    @Test("is one session's at a time")
    func lock() throws {
        let folder = try PrivateFolder.temporary(prefix: "chat-test")
        defer { PrivateFolder.remove(folder) }
        do {
            let lock = try FolderLock(folder)
            #expect(throws: LocalStackError.self) { _ = try FolderLock(folder) }
            withExtendedLifetime(lock) {}
        }
        _ = try FolderLock(folder)
    }

    @Test("keeps the engines' ports")
    func ports() throws {
        let folder = try PrivateFolder.temporary(prefix: "chat-test")
        defer { PrivateFolder.remove(folder) }
        let first = try KeptPorts.choose(in: folder)
        #expect(first.postgres != first.redis)
        #expect(try KeptPorts.choose(in: folder) == first)
    }
}
