import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

@Suite(.timeLimit(.minutes(2))) struct FileUploadsTests {
    @Test func `an upload becomes a file that its room sees`() async throws {
        try await FileStore.with { files in
            let fileID = try await files.file()
            guard case .file(let file) = try await files.files.file(fileID, for: bob) else {
                Issue.record("no file")
                return
            }
            #expect(file.uploaderID == ann && file.size == 10 && file.width == 2 && file.height == 3)
            #expect(try await files.files.file(fileID, for: cid) == .none)
            #expect(try await files.files.file(fileID, for: nil) == .file(file))
            #expect(try await files.files.file(fileID, for: .installation) == .file(file))
            #expect(try await files.files.size(of: ann) == 10)
        }
    }

    @Test func `a key has one upload at a time, and its file from then on`() async throws {
        try await FileStore.with { files in
            let (one, other) = (files.uploads(), files.uploads())
            let first = FileStore.upload(key: "k")
            #expect(try await one.begin(first) == .begun)
            #expect(try await other.begin(FileStore.upload(key: "k")) == .inProgress)
            let different = FileUpload(roomID: .hall, uploaderID: ann, name: "b", key: "k")
            #expect(try await other.begin(different) == .keyReused)
            #expect(try await other.begin(FileStore.upload(by: bob, key: "k")) == .begun)
            try await one.cancel(first)
            let second = FileStore.upload(key: "k")
            #expect(try await other.begin(second) == .begun)
            guard case .stored(let file) = try await other.finish(second, FileStore.bytes, quota: 0) else {
                Issue.record("not stored")
                return
            }
            #expect(try await one.begin(FileStore.upload(key: "k")) == .repeated(file))
            #expect(try await one.begin(different) == .keyReused)
            // Once the file is deleted its key is free.
            #expect(try await files.files.delete(file.fileID, by: ann) == .deleted)
            #expect(try await one.begin(different) == .begun)
        }
    }

    @Test func `an earlier request with a key is found without beginning another`() async throws {
        try await FileStore.with { files in
            let (one, other) = (files.uploads(), files.uploads())
            let first = FileStore.upload(key: "k")
            let different = FileUpload(roomID: .hall, uploaderID: ann, name: "b", key: "k")
            #expect(try await other.earlier(first) == nil)
            #expect(try await one.begin(first) == .begun)
            #expect(try await other.earlier(FileStore.upload(key: "k")) == .inProgress)
            #expect(try await other.earlier(different) == .keyReused)
            #expect(try await other.earlier(FileStore.upload(by: bob, key: "k")) == nil)
            #expect(try await other.earlier(FileStore.upload()) == nil)
            guard case .stored(let file) = try await one.finish(first, FileStore.bytes, quota: 0) else {
                Issue.record("not stored")
                return
            }
            #expect(try await other.earlier(FileStore.upload(key: "k")) == .repeated(file))
            #expect(try await other.earlier(different) == .keyReused)
            #expect(try await files.files.delete(file.fileID, by: ann) == .deleted)
            #expect(try await other.earlier(different) == nil)
            // What its server has let lapse stands in nobody's way.
            #expect(try await one.begin(FileStore.upload(key: "k")) == .begun)
            try await files.age(uploadsBy: 16)
            #expect(try await other.earlier(FileStore.upload(key: "k")) == nil)
        }
    }

    @Test func `a server that was suspended does not store under a key that another has taken over`() async throws {
        try await FileStore.with { files in
            let (suspended, other) = (files.uploads(), files.uploads())
            let (first, second) = (FileStore.upload(key: "k"), FileStore.upload(key: "k"))
            #expect(try await suspended.begin(first) == .begun)
            try await files.age(uploadsBy: 16)
            #expect(try await other.begin(second) == .begun)
            guard case .stored(let file) = try await other.finish(second, FileStore.bytes, quota: 0) else {
                Issue.record("not stored")
                return
            }
            #expect(try await suspended.finish(first, FileStore.bytes, quota: 0) == .lost)
            #expect(try await suspended.begin(FileStore.upload(key: "k")) == .repeated(file))
        }
    }

    @Test func `a lost upload is removed by one server, and not stored any more`() async throws {
        try await FileStore.with { files in
            let uploads = files.uploads()
            let upload = FileStore.upload()
            #expect(try await uploads.begin(upload) == .begun)
            try await files.age(uploadsBy: 600)
            #expect(try await files.removal.takeUploads(limit: 10) == [])
            try await files.age(uploadsBy: 20)
            #expect(try await files.removal.takeUploads(limit: 10) == [upload.fileID])
            #expect(try await files.removal.takeUploads(limit: 10) == [])
            #expect(try await uploads.finish(upload, FileStore.bytes, quota: 0) == .lost)
            try await files.removal.uploadRemoved(upload.fileID)
            #expect(try await files.store.client.number("SELECT count(*) FROM file_uploads") == 0)
        }
    }

    @Test func `a lease that is extended does not run out`() async throws {
        try await FileStore.with { files in
            let uploads = files.uploads()
            let upload = FileStore.upload(key: "k")
            #expect(try await uploads.begin(upload) == .begun)
            for _ in 0..<3 {
                try await files.age(uploadsBy: 10)
                #expect(try await uploads.renew(upload))
            }
            #expect(try await files.uploads().begin(FileStore.upload(key: "k")) == .inProgress)
        }
    }

    @Test func `a lease that ran out is extended all the same, until somebody has taken the upload`() async throws {
        try await FileStore.with { files in
            let (late, other) = (files.uploads(), files.uploads())
            for key in ["k", nil] {
                let upload = FileStore.upload(key: key)
                #expect(try await late.begin(upload) == .begun)
                try await files.age(uploadsBy: 16)
                #expect(try await late.renew(upload))
                #expect(try await other.renew(upload) == false)
                try await files.age(uploadsBy: 616)
                #expect(try await files.removal.takeUploads(limit: 10) == [upload.fileID])
                #expect(try await late.renew(upload) == false)
                try await files.removal.uploadRemoved(upload.fileID)
                #expect(try await late.renew(upload) == false)
            }
            let (first, second) = (FileStore.upload(key: "k"), FileStore.upload(key: "k"))
            #expect(try await late.begin(first) == .begun)
            try await files.age(uploadsBy: 16)
            #expect(try await other.begin(second) == .begun)
            #expect(try await late.renew(first) == false)
            #expect(try await other.renew(second))
        }
    }

    @Test func `an upload that was given up is removed later, and its key is free at once`() async throws {
        try await FileStore.with { files in
            let upload = FileStore.upload(key: "k")
            let uploads = files.uploads()
            #expect(try await uploads.begin(upload) == .begun)
            try await uploads.abandon(upload)
            #expect(try await uploads.begin(FileStore.upload(key: "k")) == .begun)
            try await files.age(uploadsBy: 601)
            #expect(try await files.removal.takeUploads(limit: 10) == [upload.fileID])
        }
    }

    @Test func `a thumbnail that is replaced does not count against the quota, and stays where the new one is refused`()
        async throws
    {
        try await FileStore.with { files in
            let uploads = files.uploads()
            let original = try await files.file()
            let first = try await files.file(thumbnailOf: original)
            // Ten bytes each: both fit into 20, a third file does not.
            let refused = FileStore.upload(thumbnailOf: original)
            #expect(try await uploads.begin(refused) == .begun)
            #expect(try await uploads.finish(refused, FileStore.bytes, quota: 19) == .quota)
            guard case .file = try await files.files.file(first, for: ann) else {
                Issue.record("the first thumbnail is gone")
                return
            }
            let second = FileStore.upload(thumbnailOf: original)
            #expect(try await uploads.begin(second) == .begun)
            guard case .stored = try await uploads.finish(second, FileStore.bytes, quota: 20) else {
                Issue.record("not stored")
                return
            }
            #expect(try await files.files.file(first, for: ann) == .none)
            #expect(try await files.files.size(of: ann) == 20)
        }
    }

    @Test func `the installation has no quota`() async throws {
        try await FileStore.with { files in
            let uploads = files.uploads()
            let (upload, users) = (FileStore.upload(by: .installation), FileStore.upload())
            for begun in [upload, users] { #expect(try await uploads.begin(begun) == .begun) }
            guard case .stored = try await uploads.finish(upload, FileStore.bytes, quota: 9) else {
                Issue.record("not stored")
                return
            }
            #expect(try await uploads.finish(users, FileStore.bytes, quota: 9) == .quota)
        }
    }

    @Test func `an erased user stores no file`() async throws {
        try await FileStore.with { files in
            let user = try #require(
                try await files.store.users.insert(username: "erased", displayName: "E", passwordHash: "x"))
            let uploads = files.uploads()
            let upload = FileStore.upload(by: user.userID)
            #expect(try await uploads.begin(upload) == .begun)
            try await ManagedUserRepository(files.database).erase(user.userID)
            #expect(try await uploads.finish(upload, FileStore.bytes, quota: 0) == .erased)
        }
    }
}
