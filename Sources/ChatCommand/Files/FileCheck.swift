import ChatFileStore
import ChatStorage
import CommonUtil

/// Compares the store of files with the database. It only looks, and may do so while servers run.
///
/// Both lists are sorted by key and read page by page, so memory does not grow with the number of files. What differs is looked
/// at once more: a file can have been stored or removed between the two readings.
struct FileCheck: Sendable {
    /// Of both lists, and of what is looked at again.
    static let pageLength = 500
    /// Questions to the store at once, where they concern single files.
    private static let questionsAtOnce = 8

    /// One key in which the lists differ.
    private struct Candidate {
        let key: FileID
        let object: StoredFile?
    }

    private let store: any FileStore
    private let page: @Sendable (FileID?) async throws -> [FileInventory.Record]
    private let records: @Sendable ([FileID]) async throws -> [FileInventory.Record]
    private let unknownBefore: Timestamp
    private let deadline: Duration

    /// - Parameters:
    ///   - minimumAge: of unknown objects, in seconds.
    ///   - deadline: of each question to the store, with its repetitions.
    ///   - page: reads the next records of the database, by ``FileInventory/page(after:limit:)``.
    ///   - records: reads the records of some keys.
    init(
        _ store: any FileStore, minimumAge: Int, deadline: Duration = .seconds(180),
        page: @escaping @Sendable (FileID?) async throws -> [FileInventory.Record],
        records: @escaping @Sendable ([FileID]) async throws -> [FileInventory.Record]
    ) {
        self.store = store
        self.page = page
        self.records = records
        self.deadline = deadline
        unknownBefore = Timestamp(microseconds: Timestamp.now.microseconds - Int64(minimumAge) * 1_000_000)
    }

    init(_ store: any FileStore, minimumAge: Int, _ inventory: FileInventory) {
        self.init(store, minimumAge: minimumAge) {
            try await inventory.page(after: $0, limit: Self.pageLength)
        } records: {
            try await inventory.records(of: $0)
        }
    }

    // MARK: Looking

    /// Compares everything.
    /// - Parameter report: gets each finding, in the order of keys.
    /// - Throws: `FileStoreError`, `PostgresError`; what `report` throws.
    func run(_ report: (FileFinding) async throws -> Void) async throws -> FileCheckSummary {
        var summary = FileCheckSummary()
        var known = SortedPages<FileInventory.Record>(key: \.key.rawValue) { last in
            try await page(last.map { FileID(verified: $0) })
        }
        var stored = SortedPages<StoredFile>(key: \.key) { last in
            try await ask { store throws(FileStoreError) in try await store.list(after: last) }
        }
        var candidates: [Candidate] = []
        func confirm() async throws {
            for finding in try await confirmed(candidates) {
                summary.note(finding)
                try await report(finding)
            }
            candidates = []
        }
        while true {
            let (next, object) = (try await known.first(), try await stored.first())
            guard let key = [next?.key.rawValue, object?.key].compactMap({ $0 }).min() else { break }
            let record = next?.key.rawValue == key ? next : nil
            let bytes = object?.key == key ? object : nil
            if let record {
                known.removeFirst()
                if record.state == .stored {
                    summary.files += 1
                    summary.fileBytes += record.size ?? 0
                }
            }
            if let bytes {
                stored.removeFirst()
                summary.objects += 1
                summary.objectBytes += bytes.size
            }
            guard FileFinding.of(record, bytes, unknownBefore: unknownBefore) != nil else { continue }
            candidates.append(Candidate(key: FileID(verified: key), object: bytes))
            if candidates.count == Self.pageLength { try await confirm() }
        }
        try await confirm()
        return summary
    }

    /// Looks at differences once more.
    private func confirmed(_ candidates: [Candidate]) async throws -> [FileFinding] {
        // Bytes are there before their row says so, and go after it says so. So what has a row is looked for in the store
        // first: a row that is still there then has lost its bytes. And what has none is looked for in the store last: only
        // what nobody stores any more, and nobody has removed meanwhile, is unknown.
        guard !candidates.isEmpty else { return [] }
        var sizes = try await self.sizes(of: candidates.filter { $0.object == nil }.map(\.key))
        let records = Dictionary(
            try await self.records(candidates.map(\.key)).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        sizes.merge(try await self.sizes(of: candidates.filter { $0.object != nil }.map(\.key))) { $1 }
        return candidates.compactMap { candidate in
            let object = sizes[candidate.key].map { size in
                StoredFile(
                    key: candidate.key.rawValue, size: size, modifiedAt: candidate.object?.modifiedAt ?? .now)
            }
            // Removed since.
            if candidate.object != nil, object == nil { return nil }
            return FileFinding.of(records[candidate.key], object, unknownBefore: unknownBefore)
        }
    }

    private func sizes(of keys: [FileID]) async throws -> [FileID: Int] {
        try await withThrowingTaskGroup(of: (FileID, Int?).self) { group in
            var rest = keys[...]
            var sizes: [FileID: Int] = [:]
            func begin() {
                guard let key = rest.popFirst() else { return }
                group.addTask {
                    (key, try await ask { store throws(FileStoreError) in try await store.size(of: key.rawValue) })
                }
            }
            for _ in 0..<Self.questionsAtOnce { begin() }
            while let (key, size) = try await group.next() {
                sizes[key] = size
                begin()
            }
            return sizes
        }
    }

    // MARK: Deleting

    /// Removes unknown objects, each only where it still is one.
    ///
    /// That is safe beside running servers: keys are random and used once, and a row is there before the first byte. So what
    /// has no row now is never going to have one.
    /// - Parameter summary: counts each object that was removed, even if a later one cannot be.
    func delete(_ unknown: [FileFinding], _ summary: inout FileCheckSummary) async throws {
        for page in unknown.chunks(of: Self.pageLength) {
            let candidates = page.map { finding in
                Candidate(
                    key: FileID(verified: finding.key),
                    object: StoredFile(
                        key: finding.key, size: finding.storedSize ?? 0, modifiedAt: .init(microseconds: 0)))
            }
            for finding in try await confirmed(candidates) where finding.kind == .unknown {
                try await ask { store throws(FileStoreError) in try await store.remove(finding.key) }
                summary.deleted += 1
            }
        }
    }

    // MARK: The store

    /// Asks the store, for a bounded time.
    private func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (any FileStore) async throws(FileStoreError) -> Answer
    ) async throws(FileStoreError) -> Answer {
        let answer = await TimeLimit.within(deadline) { [store] () -> Result<Answer, FileStoreError> in
            do throws(FileStoreError) { return .success(try await question(store)) } catch { return .failure(error) }
        }
        guard let answer else { throw .away("not answered in time") }
        return try answer.get()
    }
}

/// A list that is sorted by unique keys, read page by page.
struct SortedPages<Element> {
    private let key: (Element) -> String
    private let read: (String?) async throws -> [Element]
    private var page: ArraySlice<Element> = []
    private var last: String?
    private var isAtEnd = false

    /// - Parameter read: reads the page behind a key; an empty one is the last.
    init(key: @escaping (Element) -> String, read: @escaping (String?) async throws -> [Element]) {
        self.key = key
        self.read = read
    }

    /// The first element that was not removed; `nil` at the end.
    /// - Throws: what `read` throws; `FileStoreError` for a list that is not sorted, which could not be compared, and which
    ///   might have no end.
    mutating func first() async throws -> Element? {
        if page.isEmpty, !isAtEnd {
            page = try await read(last)[...]
            isAtEnd = page.isEmpty
            for element in page {
                let key = key(element)
                if let last, key <= last { throw FileStoreError.away("its list is not in the order of keys") }
                last = key
            }
        }
        return page.first
    }

    /// Removes the first element.
    mutating func removeFirst() { page.removeFirst() }
}
