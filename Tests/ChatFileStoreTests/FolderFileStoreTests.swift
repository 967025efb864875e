import ChatTestSupport
import CommonUtil
import Foundation
import NIOCore
import Synchronization
import Testing

@testable import ChatFileStore

@Suite(.timeLimit(.minutes(1))) final class FolderFileStoreTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: Unique.name("store")).path
    private let disk = Disk()
    private var store: FolderFileStore { FolderFileStore(folder + "/files", disk: disk) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func source(_ bytes: [UInt8]) throws -> String {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = folder + "/" + Unique.name("source")
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    private func put(_ key: String, _ bytes: [UInt8] = [1, 2, 3]) async throws {
        let source = try source(bytes)
        try await store.claim("me")
        try await store.put(key, from: source, size: bytes.count)
        try FileManager.default.removeItem(atPath: source)
    }

    private func read(_ key: String, _ range: Range<Int>) async throws -> [UInt8] {
        try await collect(try await store.read(key, range: range))
    }

    private func collect(_ bytes: some AsyncSequence<ByteBuffer, any Error>) async throws -> [UInt8] {
        var all: [UInt8] = []
        for try await piece in bytes {
            #expect(piece.readableBytes <= FolderFileStore.pieceBytes)
            all += piece.readableBytesView
        }
        return all
    }

    @Test func `what is stored is read, as a whole and in part, after its source is gone`() async throws {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
        try await put("abcdef", bytes)
        #expect(try await read("abcdef", 0..<200_000) == bytes)
        #expect(try await read("abcdef", 65_535..<65_537) == Array(bytes[65_535..<65_537]))
        // Repeated, as after a lost answer.
        try await put("abcdef", bytes)
    }

    @Test func `another size than announced is refused`() async throws {
        let source = try source([1, 2, 3])
        try await store.claim("me")
        await #expect(throws: FileStoreError.self) { try await store.put("abc", from: source, size: 4) }
    }

    @Test func `without its marker, as where nothing is mounted, a store takes, loses and removes nothing`()
        async throws
    {
        try await put("abc")
        // The empty folder below the mount point.
        try FileManager.default.moveItem(atPath: folder + "/files", toPath: folder + "/mounted")
        try FileManager.default.createDirectory(atPath: folder + "/files", withIntermediateDirectories: true)
        let source = try source([1, 2, 3])
        let away = FileStoreError.away("its marker is not there")
        await #expect(throws: away) { try await store.put("abd", from: source, size: 3) }
        await #expect(throws: away) { try await store.remove("abc") }
        await #expect(throws: away) { _ = try await store.read("abc", range: 0..<3) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder + "/files").isEmpty)
        try FileManager.default.removeItem(atPath: folder + "/files")
        try FileManager.default.moveItem(atPath: folder + "/mounted", toPath: folder + "/files")
        #expect(try await read("abc", 0..<3) == [1, 2, 3])
    }

    @Test func `a disk that does not respond is given up, also where the caller is cancelled`() async throws {
        let disk = Disk(threads: 1)
        // A named pipe without a writer: opening it hangs, as a file of a network file system can.
        let pipe = try source([]) + "-pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let caller = Task {
            await #expect(throws: FileStoreError.away("the disk does not respond")) {
                try await disk.run(within: .milliseconds(100)) { () throws(FileStoreError) in
                    _ = try OpenFile(pipe, O_RDONLY)
                }
            }
        }
        caller.cancel()
        _ = await caller.value
        // Its thread is free again. For both ways this does not wait for the other call, which may not have begun yet.
        let writer = try await self.disk.run { () throws(FileStoreError) in try OpenFile(pipe, O_RDWR) }
        try await disk.run {}
        withExtendedLifetime(writer) {}
    }

    @Test func `what is not there is not found, and removing it is no error`() async throws {
        try await put("abc")
        await #expect(throws: FileStoreError.notFound) { _ = try await store.read("none", range: 0..<1) }
        try await store.remove("none")
        let open = try await store.read("abc", range: 0..<3)
        try await store.remove("abc")
        await #expect(throws: FileStoreError.notFound) { _ = try await store.read("abc", range: 0..<3) }
        // One that is being read is read to its end.
        #expect(try await collect(open) == [1, 2, 3])
    }

    @Test func `what is stored and what is removed is on the disk before that is said`() async throws {
        let (path, target) = (folder + "/files", folder + "/files/ab/abc")
        try await store.claim("me")
        let synchronized = Mutex<[String]>([])
        let store = FolderFileStore(path, disk: disk) { folder throws(FileStoreError) in
            synchronized.withLock { $0.append("\(folder) \(access(target, F_OK) == 0)") }
            try Folder.synchronize(folder)
        }
        try await store.put("abc", from: try source([1, 2, 3]), size: 3)
        #expect(synchronized.withLock { $0 } == ["\(path)/ab true", "\(path) true"])
        synchronized.withLock { $0 = [] }
        try await store.remove("abc")
        #expect(synchronized.withLock { $0 } == ["\(path)/ab false"])
        // An earlier removal may not have come so far.
        try await store.remove("abc")
        #expect(synchronized.withLock { $0.count } == 2)
        let broken = FolderFileStore(path, disk: disk) { _ throws(FileStoreError) in throw .away("fsync") }
        await #expect(throws: FileStoreError.away("fsync")) { try await broken.remove("abc") }
    }

    @Test func `an error on the way to the disk is not passed over`() throws {
        let file = try OpenFile(try source([1, 2, 3]), O_RDWR)
        try file.write([4, 5, 6, 7])
        try file.flush(0..<4)
        // The kernel reports an error to one caller: who does not heed it takes what is lost for stored.
        #expect(throws: FileStoreError.self) { try OpenFile("/dev/null", O_WRONLY).flush(0..<4) }
    }

    @Test func `a range beyond the file is an error, not fewer bytes`() async throws {
        try await put("abc")
        await #expect(throws: FileStoreError.self) { _ = try await store.read("abc", range: 0..<4) }
    }

    @Test func `files are listed in the order of their keys, page by page, without the marker`() async throws {
        #expect(try await store.list(after: nil) == [])
        for key in ["bb2", "aa1", "bb1", "ab"] { try await put(key) }
        try await store.claim("me")
        let all = try await store.list(after: nil)
        #expect(all.map(\.key) == ["aa1", "ab", "bb1", "bb2"] && all.allSatisfy { $0.size == 3 })
        #expect(try await store.list(after: "ab").map(\.key) == ["bb1", "bb2"])
        #expect(try await store.list(after: "bb1").map(\.key) == ["bb2"])
        #expect(try await store.list(after: "zz") == [])
    }

    @Test func `what others have put there is no file, and is left alone`() async throws {
        try await put("aa1")
        for name in ["aa/.hidden", "aa/AA2", "aa/bb1", "aa/aa3.tmp", "lost"] {
            try Data([1]).write(to: URL(filePath: "\(folder)/files/\(name)"))
        }
        try FileManager.default.createDirectory(atPath: folder + "/files/aa/aa4", withIntermediateDirectories: true)
        #expect(try await store.list(after: nil).map(\.key) == ["aa1"])
    }

    @Test func `the size of a file is known, and of one that is not there none`() async throws {
        try await put("abc")
        #expect(try await store.size(of: "abc") == 3)
        #expect(try await store.size(of: "abd") == nil)
        // Not the same as a store that cannot be asked.
        let source = try source([1])
        let broken = FolderFileStore(source, disk: disk)
        await #expect(throws: FileStoreError.self) { try await broken.size(of: "abc") }
    }

    @Test func `of several who claim a store at once one succeeds`() async throws {
        #expect(try await store.installation() == nil)
        await withTaskGroup { group in
            for index in 0..<8 { group.addTask { [store] in try? await store.claim("server \(index)") } }
        }
        let first = try await store.installation()
        try await store.claim("late")
        #expect(first?.hasPrefix("server ") == true)
        #expect(try await store.installation() == first)
    }

    @Test func `a folder that cannot be made is away`() async throws {
        let file = try source([1])
        let store = FolderFileStore(file + "/below", disk: disk)
        await #expect {
            try await store.claim("me")
        } throws: { if case FileStoreError.away = $0 { true } else { false } }
    }

    @Test func `leftovers go when they are old`() async throws {
        try FileManager.default.createDirectory(atPath: folder + "/files/tmp", withIntermediateDirectories: true)
        let left = folder + "/files/tmp/left"
        try Data([1]).write(to: URL(filePath: left))
        try await store.abortUnfinished(olderThan: .seconds(3_600))
        #expect(FileManager.default.fileExists(atPath: left))
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -7_200)], ofItemAtPath: left)
        try await store.abortUnfinished(olderThan: .seconds(3_600))
        #expect(!FileManager.default.fileExists(atPath: left))
    }
}

extension OpenFile {
    fileprivate func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in Result { () throws(FileStoreError) in try write(bytes) } }.get()
    }
}
