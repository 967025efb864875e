import ChatFileStore
import ChatTestSupport
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ChatMessageServer

@Suite(.timeLimit(.minutes(1))) final class UploadSpoolTests {
    private let root = FileManager.default.temporaryDirectory.appending(path: Unique.name("spool")).path
    // One thread, as in a server: calls are done in their order.
    private let disk = Disk(threads: 1)

    deinit { try? FileManager.default.removeItem(atPath: root) }

    private func spool(_ capacity: Int = 1_000_000) async throws -> UploadSpool {
        let spool = UploadSpool(root, capacity: capacity, disk: disk)
        try await spool.prepare()
        return spool
    }

    private func entries() throws -> [String] { try FileManager.default.subpathsOfDirectory(atPath: root) }

    @Test func `pieces come to lie one after the other, and nothing is left`() async throws {
        let spool = try await spool()
        var file: SpooledFile? = try await spool.begin(size: 6)
        for text in ["Hel", "lo!"] { try await file?.append(ByteBuffer(string: text)) }
        let path = try #require(file?.path)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "Hello!" && file?.size == 6)
        #expect(spool.reserved == 6)
        file = nil
        try await whenRemoved()
        #expect(!FileManager.default.fileExists(atPath: path) && spool.reserved == 0)
    }

    /// Returns once the files of ended uploads are removed, which is done by the disk's threads.
    private func whenRemoved() async throws { try await disk.run {} }

    @Test func `all uploads share the bytes, and one that does not fit takes none`() async throws {
        let spool = try await spool(100)
        var first: SpooledFile? = try await spool.begin(size: 60)
        try await first?.append(ByteBuffer(string: "x"))
        await #expect(throws: FileStoreError.full) { _ = try await spool.begin(size: 41) }
        #expect(spool.reserved == 60)
        first = nil
        try await whenRemoved()
        #expect(try await spool.begin(size: 100).size == 0)
    }

    @Test func `what is announced and does not come keeps nobody out`() async throws {
        let spool = try await spool(1_000_000)
        let announced = try await spool.begin(size: 1_000_000)
        #expect(spool.reserved == 0)
        try await announced.append(ByteBuffer(string: "x"))
        #expect(spool.reserved == 262_144)
        let other = try await spool.begin(size: 700_000)
        try await other.append(ByteBuffer(repeating: 1, count: 700_000))
        // The announced one goes on while there is space, and not past it.
        try await announced.append(ByteBuffer(repeating: 1, count: 262_143))
        await #expect(throws: FileStoreError.full) {
            try await announced.append(ByteBuffer(repeating: 1, count: 100_000))
        }
        await #expect(throws: FileStoreError.full) { _ = try await spool.begin(size: 1_000_001) }
    }

    @Test func `an upload of unknown size is cut off where the spool is full`() async throws {
        let spool = try await spool(300_000)
        do {
            let file = try await spool.begin(size: nil)
            try await file.append(ByteBuffer(repeating: 1, count: 262_144))
            await #expect(throws: FileStoreError.full) {
                try await file.append(ByteBuffer(repeating: 1, count: 100_000))
            }
        }
        try await whenRemoved()
        #expect(spool.reserved == 0)
    }

    @Test func `an upload of unknown size may fill the spool to the last byte`() async throws {
        let spool = try await spool(300_000)
        let file = try await spool.begin(size: nil)
        for size in [262_144, 37_856] { try await file.append(ByteBuffer(repeating: 1, count: size)) }
        #expect(file.size == 300_000 && spool.reserved == 300_000)
    }

    @Test func `what an ended process has left is removed, what a running one has is not`() async throws {
        let running = try await spool()
        let held = try await running.begin(size: 1)
        let ended = root + "/ended"
        try FileManager.default.createDirectory(atPath: ended, withIntermediateDirectories: true)
        for file in [ended + "/upload", ended + ".lock"] { try Data([1]).write(to: URL(filePath: file)) }
        let next = try await spool()
        let left = try entries()
        #expect(!left.contains { $0.hasPrefix("ended") })
        #expect(FileManager.default.fileExists(atPath: held.path))
        #expect(next.isPrepared && left.count { $0.hasSuffix(".lock") } == 2)
    }

    @Test func `a folder that somebody removes is made again by the next upload`() async throws {
        let spool = try await spool()
        let held = try await spool.begin(size: 1)
        try FileManager.default.removeItem(atPath: root)
        let file = try await spool.begin(size: 2)
        try await file.append(ByteBuffer(string: "ok"))
        #expect(try String(contentsOfFile: file.path, encoding: .utf8) == "ok")
        // Its lock is new, too: no other server takes the folder for one of a process that has ended.
        let next = try await self.spool()
        #expect(FileManager.default.fileExists(atPath: file.path) && next.isPrepared)
        // One that was under way goes on with the file that it has open.
        try await held.append(ByteBuffer(string: "x"))
    }

    @Test func `a folder without its lock, or a lock without its folder, is mended`() async throws {
        for name in [".lock", ""] {
            let spool = try await spool()
            let held = try await spool.begin(size: 1)
            let folder = URL(filePath: held.path).deletingLastPathComponent().path
            // Nothing else may remove the file meanwhile.
            try withExtendedLifetime(held) { try FileManager.default.removeItem(atPath: folder + name) }
            try await spool.prepare()
            let file = try await spool.begin(size: 1)
            _ = try await self.spool()
            #expect(FileManager.default.fileExists(atPath: file.path), "\(name)")
        }
    }

    @Test func `where the folder cannot be made an upload is refused, and taken once it can`() async throws {
        try Data([1]).write(to: URL(filePath: root))
        let spool = UploadSpool(root, capacity: 100, disk: disk)
        await #expect(throws: FileStoreError.self) { try await spool.prepare() }
        #expect(!spool.isPrepared)
        await #expect(throws: FileStoreError.self) { _ = try await spool.begin(size: 1) }
        try FileManager.default.removeItem(atPath: root)
        #expect(try await spool.begin(size: 1).size == 0)
        #expect(spool.isPrepared)
    }

    @Test func `what is reserved is reported`() async throws {
        let reported = Mutex<[Int]>([])
        let spool = UploadSpool(root, capacity: 100, disk: disk) { bytes in reported.withLock { $0.append(bytes) } }
        do {
            let file = try await spool.begin(size: 7)
            try await file.append(ByteBuffer(string: "x"))
            await #expect(throws: FileStoreError.full) { try await file.append(ByteBuffer(repeating: 1, count: 100)) }
        }
        try await whenRemoved()
        #expect(reported.withLock { $0 } == [7, 0])
    }
}
