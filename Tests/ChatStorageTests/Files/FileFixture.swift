import ChatEvents
import CommonUtil
import PostgresClient
import Testing

@testable import ChatStorage

/// A hall with files.
struct FileStore {
    let store: Store
    let files: FileRepository
    let removal: FileRemoval
    let database: ChatDatabase

    /// Runs `body` on a database of its own, with the hall.
    static func with<Result: Sendable>(_ body: (FileStore) async throws -> Result) async throws -> Result {
        try await withStore { store in
            try await store.makeRoom()
            let database = ChatDatabase(store.client)
            return try await body(
                FileStore(
                    store: store, files: FileRepository(database), removal: FileRemoval(database), database: database))
        }
    }

    /// Another server.
    func uploads() -> FileUploads { FileUploads(database) }

    static func upload(by uploader: UserID = ann, thumbnailOf original: FileID? = nil, key: String? = nil) -> FileUpload
    {
        FileUpload(roomID: .hall, uploaderID: uploader, name: "a", thumbnailOf: original, key: key)
    }

    static let bytes = UploadedBytes(size: 10, sha256: [1], mimeType: "image/png", width: 2, height: 3)

    /// Stores a file.
    func file(by uploader: UserID = ann, thumbnailOf original: FileID? = nil) async throws -> FileID {
        let (uploads, upload) = (uploads(), Self.upload(by: uploader, thumbnailOf: original))
        #expect(try await uploads.begin(upload) == .begun)
        guard case .stored(let file) = try await uploads.finish(upload, Self.bytes, quota: 0) else {
            throw PostgresError.decoding("not stored")
        }
        return file.fileID
    }

    /// Posts a message that names a file.
    func post(_ fileID: FileID, by sender: UserID = ann, key: String? = nil) async throws -> PostOutcome {
        let draft = MessageDraft(
            roomID: .hall, senderID: sender, type: .image, contentJSON: #"{"fileId":"\#(fileID)"}"#, fileID: fileID,
            clientMessageID: key)
        return try await store.rooms.postFile(draft, isOpen: false).outcome
    }

    /// Lets time pass for all uploads.
    func age(uploadsBy seconds: Int) async throws {
        try await store.client.script(
            "UPDATE file_uploads SET held_until = held_until - interval '\(seconds) seconds'")
    }

    /// Lets what was begun to be removed be tried again.
    func ageRemovals() async throws {
        try await store.client.script("UPDATE files SET remove_at = now() WHERE remove_at IS NOT NULL")
    }
}
