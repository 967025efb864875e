import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct FileRemovalTests {
    @Test func `a deleted file is removed by one of several servers, and again where that failed`() async throws {
        try await FileStore.with { files in
            let fileID = try await files.file()
            #expect(try await files.removal.take(limit: 10) == [])
            #expect(try await files.files.delete(fileID, by: ann) == .deleted)
            async let one = files.removal.take(limit: 10)
            async let other = FileRemoval(files.database).take(limit: 10)
            #expect(try await (one + other) == [fileID])
            #expect(try await files.removal.take(limit: 10) == [])
            try await files.ageRemovals()
            #expect(try await files.removal.take(limit: 10) == [fileID])
            try await files.removal.removed(fileID)
            #expect(try await files.store.client.number("SELECT count(*) FROM files") == 0)
        }
    }

    @Test func `what no message names for too long is deleted, with its thumbnail, and nothing else`() async throws {
        try await FileStore.with { files in
            let (unnamed, named) = (try await files.file(), try await files.file())
            let thumbnail = try await files.file(thumbnailOf: unnamed)
            let kept = try await files.file(thumbnailOf: named)
            #expect(try await files.post(named).stored != nil)
            #expect(try await files.removal.deleteUnused(olderThan: 3_600, limit: 10) == 0)
            try await files.store.client.script("UPDATE files SET created_at = created_at - interval '2 hours'")
            #expect(try await files.removal.deleteUnused(olderThan: 3_600, limit: 10) == 2)
            #expect(try await Set(files.removal.take(limit: 10)) == [unnamed, thumbnail])
            #expect(try await files.files.files([named, kept, unnamed, thumbnail], for: ann).count == 2)
        }
    }

    @Test func `a file is deleted with the last message that names it, and its thumbnail too`() async throws {
        try await FileStore.with { files in
            let fileID = try await files.file()
            let thumbnail = try await files.file(thumbnailOf: fileID)
            let messages = [try await files.post(fileID), try await files.post(fileID)].compactMap(\.stored)
            #expect(messages.count == 2 && messages[0].contentJSON.contains(#""fileName":"a""#))
            try await files.store.delete(messages[0])
            #expect(try await files.removal.take(limit: 10) == [])
            #expect(try await files.files.delete(fileID, by: ann) == .inUse)
            try await files.store.delete(messages[1])
            #expect(try await Set(files.removal.take(limit: 10)) == [fileID, thumbnail])
            await #expect(throws: LockedRoom.unknownFile) { _ = try await files.post(fileID) }
        }
    }

    @Test func `the files of an erased user are gone though messages name them`() async throws {
        try await FileStore.with { files in
            let fileID = try await files.file()
            let message = try #require(try await files.post(fileID).stored)
            try await ManagedUserRepository(files.database).erase(ann)
            #expect(try await files.files.file(fileID, for: bob) == .gone)
            #expect(try await files.removal.take(limit: 10) == [fileID])
            try await files.removal.removed(fileID)
            try await files.ageRemovals()
            #expect(try await files.removal.take(limit: 10) == [])
            #expect(try await files.files.file(fileID, for: bob) == .gone)
            try await files.store.delete(message)
            #expect(try await files.files.file(fileID, for: bob) == .none)
            #expect(try await files.removal.take(limit: 10) == [fileID])
            try await files.removal.removed(fileID)
            #expect(try await files.store.client.number("SELECT count(*) FROM files") == 0)
        }
    }

    @Test func `a refused post uses no file`() async throws {
        try await FileStore.with { files in
            let fileID = try await files.file()
            #expect(try await files.post(fileID, by: cid) == .refused(.roomNotFound))
            await #expect(throws: LockedRoom.unknownFile) { _ = try await files.post(fileID, by: bob) }
            #expect(try await files.post(fileID, key: "k").stored != nil)
            #expect(try await files.post(fileID, key: "k").repeated != nil)
            #expect(try await files.store.client.number("SELECT uses::int FROM files") == 1)
            #expect(try await files.store.rooms.room(.hall)?.lastSeq == 1)
        }
    }

    @Test func `secrets are made one a day, and the last two are kept`() async throws {
        try await FileStore.with { files in
            let secrets = FileSecrets(files.database)
            let first = try await secrets.current()
            #expect(first.count == 1 && first[0].bytes.count == 32)
            #expect(try await secrets.current() == first)
            func nextDay() async throws -> [FileSecret] {
                try await files.store.client.script(
                    "UPDATE file_secrets SET created_at = created_at - interval '25 hours'")
                async let one = secrets.current()
                async let other = FileSecrets(files.database).current()
                #expect(try await one == other)
                return try await one
            }
            let second = try await nextDay()
            #expect(second.count == 2 && second[1].bytes == first[0].bytes)
            let third = try await nextDay()
            #expect(third.count == 2 && third[1].bytes == second[0].bytes)
        }
    }
}
