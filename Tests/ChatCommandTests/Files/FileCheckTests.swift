import ChatFileStore
import ChatStorage
import ChatTestSupport
import CommonUtil
import Synchronization
import Testing

@testable import ChatCommand

/// The comparison of store and database, without either.
@Suite(.timeLimit(.minutes(1))) struct FileCheckTests {
    /// What the database knows.
    private final class Database: Sendable {
        let records = Mutex<[String: FileInventory.Record]>([:])
        /// Called once a page was read.
        let afterPage = Mutex<(@Sendable () -> Void)?>(nil)

        func set(_ key: String, _ state: FileInventory.Record.State = .stored, size: Int? = 1, isOrphan: Bool = false) {
            records.withLock {
                $0[key] = .init(
                    key: FileID(verified: key), state: state, size: size, isThumbnail: isOrphan, isOrphan: isOrphan)
            }
        }

        func forget(_ key: String) { records.withLock { $0[key] = nil } }

        func page(after key: FileID?) -> [FileInventory.Record] {
            defer { afterPage.withLock { $0.take() }?() }
            return records.withLock { records in
                let rest = records.values.filter { $0.key.rawValue > key?.rawValue ?? "" }
                return Array(rest.sorted { $0.key.rawValue < $1.key.rawValue }.prefix(FileCheck.pageLength))
            }
        }
    }

    private let database = Database()

    private func check(_ store: any FileStore, minimumAge: Int = 3_600) -> FileCheck {
        FileCheck(store, minimumAge: minimumAge, deadline: .seconds(20)) { [database] in
            database.page(after: $0)
        } records: { [database] keys in
            database.records.withLock { records in keys.compactMap { records[$0.rawValue] } }
        }
    }

    private func run(_ check: FileCheck) async throws -> (findings: [FileFinding], summary: FileCheckSummary) {
        var findings: [FileFinding] = []
        let summary = try await check.run { findings.append($0) }
        return (findings, summary)
    }

    private static let old = Timestamp(microseconds: Timestamp.now.microseconds - 7_200_000_000)

    @Test func `where both agree nothing is found`() async throws {
        let store = MemoryFileStore()
        #expect(try await run(check(store)).summary == FileCheckSummary())
        for key in ["a", "b", "c"] {
            store.set(key, size: 1)
            database.set(key)
        }
        database.set("d", .changing, size: nil)
        database.set("e", .changing, size: 5)
        store.set("e", size: 3)
        database.set("f", .removed)
        let (findings, summary) = try await run(check(store))
        #expect(findings.isEmpty && !summary.hasFindings)
        #expect(summary.files == 3 && summary.fileBytes == 3 && summary.objects == 4 && summary.objectBytes == 6)
    }

    @Test func `what is too many, missing, of another size or without its file is found`() async throws {
        let store = MemoryFileStore()
        for key in ["a", "b", "h"] {
            store.set(key, size: 1, at: Self.old)
            database.set(key)
        }
        store.set("c", size: 7, at: Self.old)
        database.set("d", size: 5)
        store.set("e", size: 4)
        database.set("e", size: 5)
        store.set("f", size: 1)
        database.set("f", isOrphan: true)
        // Its bytes ought to be gone.
        store.set("g", size: 9, at: Self.old)
        database.set("g", .removed)
        let (findings, summary) = try await run(check(store))
        #expect(
            findings == [
                FileFinding(kind: .unknown, key: "c", storedSize: 7),
                FileFinding(kind: .missing, key: "d", expectedSize: 5),
                FileFinding(kind: .wrongSize, key: "e", storedSize: 4, expectedSize: 5),
                FileFinding(kind: .orphan, key: "f", isThumbnail: true, storedSize: 1, expectedSize: 1),
                FileFinding(kind: .unknown, key: "g", storedSize: 9),
            ])
        #expect(summary.hasFindings && summary.count(of: .unknown) == 2 && summary.unknownBytes == 16)
        #expect(findings.map(\.line).allSatisfy { $0.split(separator: "\t").count >= 3 })
    }

    @Test func `what is young and unknown is left alone`() async throws {
        let store = MemoryFileStore()
        store.set("a", size: 1)
        #expect(try await run(check(store)).findings.isEmpty)
        store.set("b", size: 1, at: Self.old)
        #expect(try await run(check(store)).findings.map(\.key) == ["b"])
        #expect(try await run(check(store, minimumAge: 7_100)).findings.map(\.key) == ["b"])
        #expect(try await run(check(store, minimumAge: 7_300)).findings.isEmpty)
    }

    @Test func `lists of many pages are merged whole`() async throws {
        let store = MemoryFileStore()
        let keys = (0..<4_321).map { String(100_000 + $0) }
        for (index, key) in keys.enumerated() {
            if index % 1_000 != 7 { store.set(key, size: 1, at: Self.old) }
            if index % 900 != 3 { database.set(key) }
        }
        // A run of one side alone, longer than a page of either.
        for index in 0..<2_500 { store.set("5\(100_000 + index)", size: 1, at: Self.old) }
        let (findings, summary) = try await run(check(store))
        #expect(summary.count(of: .missing) == 5 && summary.count(of: .unknown) == 2_505)
        #expect(findings.map(\.key) == findings.map(\.key).sorted())
        #expect(summary.objects == 4_316 + 2_500 && summary.files == 4_316)
    }

    @Test func `a file that is stored or removed between the two readings is no finding`() async throws {
        // The database is read first: the store then shows a file that the page did not have.
        let store = MemoryFileStore()
        database.afterPage.withLock {
            $0 = { [database] in
                database.set("a")
                store.set("a", size: 1, at: Self.old)
            }
        }
        #expect(try await run(check(store)).findings.isEmpty)
        // And no longer one that it had.
        database.afterPage.withLock {
            $0 = { [database] in
                database.forget("a")
                store.lose("a")
            }
        }
        #expect(try await run(check(store)).findings.isEmpty)
    }

    @Test func `a file that is removed while it is looked at again is no finding`() async throws {
        let database = database
        // Missing: the row goes between the question for the bytes and that for the row.
        database.set("a")
        let losing = MemoryFileStore { call, _ in if call == .size("a") { database.forget("a") } }
        #expect(try await run(check(losing)).findings.isEmpty)
        // Of another size: its bytes go before they are asked for again.
        database.set("b", size: 2)
        let removing = MemoryFileStore { call, store in if call == .size("b") { store.lose("b") } }
        removing.set("b", size: 1)
        #expect(try await run(check(removing)).findings.isEmpty)
    }

    @Test func `a store that is away, hangs, or has no order ends the comparison`() async throws {
        let away = MemoryFileStore { _, _ throws(FileStoreError) in throw .away("gone") }
        await #expect(throws: FileStoreError.away("gone")) { try await run(self.check(away)) }
        let hanging = MemoryFileStore { _, _ in try? await Task.sleep(for: .seconds(3_600)) }
        let impatient = FileCheck(
            hanging, minimumAge: 0, deadline: .milliseconds(50), page: { _ in [] }, records: { _ in [] })
        await #expect(throws: FileStoreError.away("not answered in time")) { try await run(impatient) }
        for keys in [["b", "a"], ["a", "a"]] {
            var pages = SortedPages<String>(key: { $0 }) { _ in keys }
            await #expect(throws: FileStoreError.self) { try await pages.first() }
        }
        // A store that begins again and again would have no end.
        var endless = SortedPages<String>(key: { $0 }) { _ in ["a"] }
        #expect(try await endless.first() == "a")
        endless.removeFirst()
        await #expect(throws: FileStoreError.self) { try await endless.first() }
    }

    @Test func `only what is still unknown is deleted`() async throws {
        let store = MemoryFileStore()
        for key in ["a", "b", "c"] { store.set(key, size: 1, at: Self.old) }
        let check = self.check(store)
        let (findings, _) = try await run(check)
        #expect(findings.map(\.key) == ["a", "b", "c"])
        database.set("b", .changing, size: nil)
        store.lose("c")
        var summary = FileCheckSummary()
        try await check.delete(findings, &summary)
        #expect(summary.deleted == 1)
        #expect(store.keys == ["b"])
    }

    @Test func `what was deleted before a deletion fails is counted`() async throws {
        let store = MemoryFileStore { call, _ throws(FileStoreError) in
            if call == .remove("b") { throw .away("away") }
        }
        for key in ["a", "b", "c"] { store.set(key, size: 1, at: Self.old) }
        let check = self.check(store)
        let (findings, found) = try await run(check)
        var summary = found
        do {
            try await check.delete(findings, &summary)
            Issue.record("it did not fail")
        } catch let error as FileStoreError {
            #expect(error == .away("away"))
        }
        #expect(summary.deleted == 1 && summary.count(of: .unknown) == 3 && store.keys == ["b", "c"])
    }
}
