import Foundation
import Testing

@testable import ChatClient

@Suite(.timeLimit(.minutes(1))) final class StoreTests {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func mode(_ path: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test func `values of any name are there again`() async throws {
        let names = [
            "a", "A", "a/b", "a/b/c", "ä/é", "x/..", "x/.", "p%/ q", "big/" + String(repeating: "n", count: 60),
        ]
        let store = try FileChatStore(folder: folder)
        try await store.step { step in
            for name in names { step.set(name, Array(name.utf8)) }
            step.set("empty", [])
        }
        let again = try FileChatStore(folder: folder)
        try await again.step { step in
            let found1 = try step.keys(withPrefix: "")
            #expect(found1 == (names + ["empty"]).sorted())
            for name in names {
                let found = try step.value(name)
                #expect(found == Array(name.utf8))
            }
            let found2 = try step.value("empty")
            #expect(found2 == [])
            let found3 = try step.value("none")
            #expect(found3 == nil)
            let found4 = try step.keys(withPrefix: "a/")
            #expect(found4 == ["a/b", "a/b/c"])
            let found5 = try step.keys(withPrefix: "x/.")
            #expect(found5 == ["x/.", "x/.."])
        }
        try await again.step { step in
            for name in names.dropFirst() { step.set(name, nil) }
        }
        try await store.step { step in
            let found = try step.keys(withPrefix: "")
            #expect(found == ["a", "empty"])
        }
    }

    @Test func `only the user may read what is kept`() async throws {
        let store = try FileChatStore(folder: folder + "/deep/er")
        try await store.step { $0.set("room/a", [1]) }
        let found6 = try mode(folder + "/deep/er")
        #expect(found6 == 0o700)
        for path in try #require(FileManager.default.subpaths(atPath: folder)) {
            let whole = folder + "/" + path
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: whole, isDirectory: &isFolder)
            let found7 = try mode(whole)
            #expect(found7 == (isFolder.boolValue ? 0o700 : 0o600))
        }
    }

    @Test func `a step that throws changes nothing`() async throws {
        struct Stop: Error {}
        for store in [try FileChatStore(folder: folder), MemoryChatStore()] as [any ChatStore] {
            await #expect(throws: Stop.self) {
                try await store.step { step in
                    step.set("a", [1])
                    let found8 = try step.value("a")
                    #expect(found8 == [1])
                    throw Stop()
                }
            }
            try await store.step { step in
                let found = try step.value("a")
                #expect(found == nil)
            }
        }
    }

    @Test func `a journal is finished by the next step`() async throws {
        let store = try FileChatStore(folder: folder)
        try await store.step { $0.set("gone", [1]) }
        let changes: [String: [UInt8]?] = ["a": [1, 2], "b/c": [], "gone": nil]
        try FileSystem.replace(folder + "/journal", with: Journal.encode(changes), staged: folder + "/new")
        try await FileChatStore(folder: folder).step { step in
            let found9 = try step.keys(withPrefix: "")
            #expect(found9 == ["a", "b/c"])
            let found10 = try step.value("a")
            #expect(found10 == [1, 2])
        }
        #expect(!FileManager.default.fileExists(atPath: folder + "/journal"))
    }

    @Test func `a journal that cannot be read is put aside`() async throws {
        let store = try FileChatStore(folder: folder)
        try FileSystem.replace(folder + "/journal", with: [9, 0, 0, 0, 0, 0, 0, 0, 1], staged: folder + "/new")
        try await store.step { $0.set("a", [1]) }
        #expect(FileManager.default.fileExists(atPath: folder + "/journal.broken"))
    }

    @Test func `steps of several stores on one folder do not mix`() async throws {
        let stores = try (0..<4).map { _ in try FileChatStore(folder: folder) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for store in stores {
                group.addTask {
                    for _ in 0..<25 {
                        try await store.step { step in
                            let count =
                                try step.value("count").map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 } ?? 0
                            step.set("count", Array(String(count + 1).utf8))
                            step.set("copy", Array(String(count + 1).utf8))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await stores[0].step { step in
            let found11 = try step.value("count")
            #expect(found11 == Array("100".utf8))
            let found12 = try step.value("copy")
            #expect(found12 == Array("100".utf8))
        }
    }

    @Test func `a folder that cannot be made is an error at once`() throws {
        try Data().write(to: URL(fileURLWithPath: folder))
        let error = #expect(throws: ChatError.self) { try FileChatStore(folder: folder + "/x") }
        #expect(error?.code == .storeFailed)
    }

    @Test func `a lease is free at once when its process is killed`() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sleep")
        process.arguments = ["60"]
        try process.run()
        let id = process.processIdentifier
        let start = try #require(System.startTime(ofProcess: id))
        let lease = Lease(process: id, start: start, instance: "other", seenAt: System.wallClock)
        #expect(lease.isHeldByOther(than: "mine"))
        #expect(!lease.isHeldByOther(than: "other"))
        #expect(!lease.isHeldByOther(than: "mine", now: lease.seenAt + 5000))
        #expect(
            !Lease(process: id, start: start + 1, instance: "other", seenAt: lease.seenAt).isHeldByOther(than: "mine"))
        kill(id, SIGKILL)
        process.waitUntilExit()
        #expect(!lease.isHeldByOther(than: "mine"))
    }

    @Test func `a step is done although its task is cancelled`() async throws {
        let store = FallbackStore(try FileChatStore(folder: folder)) { Issue.record($0) }
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await store.step { step in
                step.set("a", [1])
                return true
            }
        }
        task.cancel()
        #expect(try await task.value)
        #expect(try await store.step { try $0.value("a") } == [1])
    }

    @Test func `a store that is back gets what was new meanwhile`() async throws {
        let failing = FailingStore()
        let store = FallbackStore(failing, retryMilliseconds: 0) { _ in }
        try await store.step { $0.set("a", [1]) }
        failing.fails = true
        try await store.step { step in
            let found13 = try step.value("a")
            #expect(found13 == [1])
            step.set("b", [2])
        }
        #expect(!store.isLasting)
        await store.retry()
        #expect(!store.isLasting)
        failing.fails = false
        await store.retry()
        #expect(store.isLasting)
        #expect(failing.contents == ["a": [1], "b": [2]])
    }

    @Test func `a step in memory may ask whether the store is lasting`() async throws {
        let failing = FailingStore()
        let store = FallbackStore(failing, retryMilliseconds: 0) { _ in }
        failing.fails = true
        #expect(try await !store.step { _ in store.isLasting })
        #expect(try await !store.step { _ in store.isLasting })
    }

    @Test func `a store that is back is used although changes never cease`() async throws {
        let failing = FailingStore()
        let store = FallbackStore(failing, retryMilliseconds: 0) { _ in }
        failing.fails = true
        try await store.step { $0.set("0", [0]) }
        failing.fails = false
        let changes = LatestValue(1)
        // Another change comes during each step of the store.
        failing.onStep = {
            let number = changes.value
            guard number < 50 else { return }
            changes.set(number + 1)
            Task { try await store.step { $0.set("\(number)", [UInt8(number)]) } }
            for _ in 0..<200 { await Task.yield() }
        }
        await store.retry()
        #expect(store.isLasting)
        try await until { failing.contents.count == 50 }
    }

    @Test func `a store that cannot be read any more is replaced by what was last read from it`() async throws {
        let failing = FailingStore()
        let store = FallbackStore(failing) { _ in }
        let read: @Sendable () async throws -> [String] = {
            try await store.step { step in
                let keys = try step.keys(withPrefix: "outbox/")
                return try keys.filter { try step.value($0) == [1] }
            }
        }
        // Another process wrote these, and deletes one later.
        try await failing.change(["outbox/1": [1], "outbox/2": [1]])
        #expect(try await read() == ["outbox/1", "outbox/2"])
        try await failing.change(["outbox/1": nil])
        #expect(try await read() == ["outbox/2"])
        failing.fails = true
        #expect(try await read() == ["outbox/2"])
    }

    @Test func `a store that is back keeps what other processes have changed meanwhile`() async throws {
        let failing = FailingStore()
        let store = FallbackStore(failing, retryMilliseconds: 0) { _ in }
        try await store.step { step in
            for key in ["mine", "theirs", "gone"] { step.set(key, [1]) }
        }
        failing.fails = true
        try await store.step { step in
            for key in ["mine", "theirs", "gone", "new"] { step.set(key, [2]) }
        }
        try await failing.change(["theirs": [3], "gone": nil])
        failing.fails = false
        await store.retry()
        #expect(store.isLasting)
        #expect(failing.contents == ["mine": [2], "theirs": [3], "new": [2]])
        #expect(try await store.step { try $0.value("theirs") } == [3])
    }

    @Test func `what is new while a store is tried again is not lost`() async throws {
        let failing = FailingStore()
        let store = FallbackStore(failing, retryMilliseconds: 0) { _ in }
        failing.fails = true
        try await store.step { $0.set("a", [1]) }
        failing.isHeld.set(true)
        failing.fails = false
        async let retrying: Void = store.retry()
        for await isWaiting in LatestValues(source: failing.isWaiting) where isWaiting { break }
        try await store.step { $0.set("a", [2]) }
        failing.isHeld.set(false)
        await retrying
        #expect(store.isLasting)
        #expect(failing.contents == ["a": [2]])
    }

    @Test func `names of any length and characters are kept`() async throws {
        let names = ["😀", " ", "Ä%/+", "A."].map { String(repeating: $0, count: 64) }
        let keys = Set(names.map { "a/" + $0.percentEncoded } + names.map { "a/x" + $0 })
        try await FileChatStore(folder: folder).step { step in for key in keys { step.set(key, Array(key.utf8)) } }
        let store = try FileChatStore(folder: folder)
        let listed = try await store.step { try $0.keys(withPrefix: "a/") }
        #expect(Set(listed) == keys)
        for key in keys {
            let found = try await store.step { (try $0.value(key), try $0.keys(withPrefix: key)) }
            #expect(found.0 == Array(key.utf8))
            #expect(found.1.contains(key))
            try await store.step { $0.set(key, nil) }
        }
        #expect(try await store.step { try $0.keys(withPrefix: "") }.isEmpty)
    }
}
