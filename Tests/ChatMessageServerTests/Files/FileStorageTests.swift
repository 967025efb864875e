import ChatFileStore
import ChatTestSupport
import CommonUtil
import Foundation
import Logging
import Synchronization
import Testing

@testable import ChatMessageServer

/// Whose a store is.
@Suite(.timeLimit(.minutes(1))) final class FileStorageTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: Unique.name("owner")).path
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let disk = Disk()

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func storage(_ id: String = "me", hasFiles: Bool = false, path: String? = nil) -> FileStorage {
        FileStorage(FolderFileStore(path ?? folder, disk: disk), logger: quiet) { (id, hasFiles) }
    }

    private func isForeign(_ state: FileStorage.State) -> Bool { if case .foreign = state { true } else { false } }

    @Test func `the first server makes the marker, the next ones find it`() async throws {
        #expect(await storage().check() == .own)
        #expect(await storage(hasFiles: true).check() == .own)
    }

    @Test func `a store of another installation is foreign`() async throws {
        #expect(await storage("another").check() == .own)
        let own = storage()
        #expect(isForeign(await own.check()))
        #expect(throws: ChatError.self) { _ = try own.require() }
    }

    @Test func `a store without a marker is foreign where the installation has files, or the store has`() async throws {
        #expect(isForeign(await storage(hasFiles: true).check()))
        let source = folder + "-source"
        try Data([1]).write(to: URL(filePath: source))
        defer { try? FileManager.default.removeItem(atPath: source) }
        let store = FolderFileStore(folder, disk: disk)
        try await store.claim("me")
        try await store.put("abc", from: source, size: 1)
        try FileManager.default.removeItem(atPath: folder + "/installation")
        #expect(isForeign(await storage().check()))
    }

    @Test func `a store whose marker is gone, as of a disk that is not mounted, is foreign from then on`() async throws
    {
        let storage = storage(hasFiles: true)
        try await FolderFileStore(folder, disk: disk).claim("me")
        #expect(await storage.check() == .own)
        _ = try storage.require()
        try FileManager.default.removeItem(atPath: folder)
        #expect(isForeign(await storage.check()))
        #expect { _ = try storage.require() } throws: { ($0 as? ChatError)?.code == .storeForeign }
    }

    @Test func `a store that does not respond is not known`() async throws {
        let file = folder + "-file"
        try Data([1]).write(to: URL(filePath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        let storage = storage(path: file + "/below")
        guard case .unknown = await storage.check() else {
            Issue.record("known")
            return
        }
        #expect { _ = try storage.require() } throws: { ($0 as? ChatError)?.code == .unavailable }
    }

    @Test func `where the database is away a store stays what it was`() async throws {
        let isAway = Mutex(false)
        let storage = FileStorage(FolderFileStore(folder, disk: disk), logger: quiet) {
            if isAway.withLock({ $0 }) { throw ChatError.unavailable("away") }
            return ("me", false)
        }
        #expect(await storage.check() == .own)
        isAway.withLock { $0 = true }
        #expect(await storage.check() == .own)
    }

    @Test func `a store that never answers is given up`() async throws {
        // As long as the test lasts: it ends with its task.
        let store = MemoryFileStore { _, _ in try? await Task.sleep(for: .seconds(3_600)) }
        let storage = FileStorage(store, deadline: .milliseconds(50), logger: quiet) { ("me", false) }
        #expect(await storage.check() == .unknown("not answered in time"))
        #expect(!storage.responds)
    }

    @Test func `a store that goes away stays what it was, and does not respond`() async throws {
        let isAway = Mutex(false)
        let store = MemoryFileStore { _, _ throws(FileStoreError) in
            if isAway.withLock({ $0 }) { throw .away("away") }
        }
        let storage = FileStorage(store, logger: quiet) { ("me", false) }
        #expect(await storage.check() == .own)
        #expect(storage.responds)
        isAway.withLock { $0 = true }
        #expect(await storage.check() == .own)
        #expect(!storage.responds)
        isAway.withLock { $0 = false }
        #expect(await storage.check() == .own)
        #expect(storage.responds)
    }
}
