import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct FileInventoryTests {
    private func all(_ inventory: FileInventory, limit: Int) async throws -> [FileInventory.Record] {
        var all: [FileInventory.Record] = []
        while case let page = try await inventory.page(after: all.last?.key, limit: limit), !page.isEmpty {
            #expect(page.count <= limit)
            all += page
        }
        return all
    }

    @Test func `files and uploads come in the order of their keys, page by page`() async throws {
        try await FileStore.with { files in
            let inventory = FileInventory(files.database)
            #expect(try await inventory.page(after: nil, limit: 10).isEmpty)
            var keys: [FileID] = []
            for _ in 0..<4 { keys.append(try await files.file()) }
            for _ in 0..<3 {
                let upload = FileStore.upload()
                #expect(try await files.uploads().begin(upload) == .begun)
                keys.append(upload.fileID)
            }
            for limit in [1, 2, 3, 7, 100] {
                let found = try await all(inventory, limit: limit)
                #expect(found.map(\.key) == keys.sorted { $0.rawValue < $1.rawValue }, "\(limit)")
                #expect(found.count { $0.state == .stored && $0.size == 10 } == 4)
                #expect(found.count { $0.state == .changing && $0.size == nil } == 3)
            }
        }
    }

    @Test func `a deleted file is changing until its bytes are gone, and removed where a message names it still`()
        async throws
    {
        try await FileStore.with { files in
            let inventory = FileInventory(files.database)
            let (deleted, named) = (try await files.file(), try await files.file())
            func state(_ key: FileID) async throws -> FileInventory.Record.State? {
                try await inventory.records(of: [key]).first?.state
            }
            #expect(try await files.files.delete(deleted, by: ann) == .deleted)
            #expect(try await state(deleted) == .changing)
            try await files.removal.removed(deleted)
            #expect(try await state(deleted) == nil)
            #expect(try await files.post(named).stored != nil)
            try await ManagedUserRepository(files.database).erase(ann)
            #expect(try await state(named) == .changing)
            try await files.removal.removed(named)
            #expect(try await state(named) == .removed)
        }
    }

    @Test func `a thumbnail is one, and an orphan where its file is not there`() async throws {
        try await FileStore.with { files in
            let inventory = FileInventory(files.database)
            let original = try await files.file()
            let thumbnail = try await files.file(thumbnailOf: original)
            let before = try await inventory.records(of: [thumbnail, original, FileID(verified: "none")])
            #expect(before.count == 2)
            #expect(before.first { $0.key == thumbnail }?.isThumbnail == true)
            #expect(!before.contains { $0.isOrphan } && before.first { $0.key == original }?.isThumbnail == false)
            func isOrphan(onceOriginal change: String) async throws -> Bool? {
                try await files.store.client.script("UPDATE files SET \(change) WHERE file_id = '\(original)'")
                return try await inventory.records(of: [thumbnail]).first?.isOrphan
            }
            // It goes with its file, which is being removed, but not with one whose removal is over.
            #expect(try await isOrphan(onceOriginal: "deleted_at = now(), remove_at = now()") == false)
            #expect(try await isOrphan(onceOriginal: "remove_at = NULL") == true)
            try await files.store.client.script("DELETE FROM files WHERE file_id = '\(original)'")
            #expect(try await inventory.page(after: nil, limit: 10).map(\.isOrphan) == [true])
        }
    }
}
