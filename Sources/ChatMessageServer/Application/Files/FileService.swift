import ChatEvents
import ChatFileStore
import ChatStorage
import CommonUtil
import Logging
import NIOCore

/// The use cases of stored files: reading, listing and deleting them.
struct FileService: Sendable {
    let storage: FileStorage
    let files: FileRepository
    let urls: FileURLs
    let slots: DownloadSlots
    let logger: Logger

    /// A file as clients see it.
    func view(_ file: ChatFile) -> FileView {
        FileView(file: file, url: urls.url(of: file.fileID), thumbnailURL: file.thumbnailID.map { urls.url(of: $0) })
    }

    /// A file.
    /// - Parameter userID: who reads; `nil` for a reader with a signed URL.
    /// - Throws: `file_not_found` also for a file of a room that is hidden from the user; `file_gone`; `store_foreign`.
    func file(_ fileID: FileID, for userID: UserID?) async throws -> ChatFile {
        _ = try storage.require()
        switch try await files.file(fileID, for: userID) {
        case .none: throw ChatError(.fileNotFound)
        case .gone: throw ChatError(.fileGone)
        case .file(let file): return file
        }
    }

    /// Those of these files that a user may read, in this order.
    func files(_ fileIDs: [FileID], for userID: UserID) async throws -> FileList {
        _ = try storage.require()
        let found = try await files.files(fileIDs, for: userID)
        let byID = Dictionary(found.map { ($0.fileID, $0) }, uniquingKeysWith: { first, _ in first })
        return FileList(items: fileIDs.compactMap { byID[$0] }.map(view))
    }

    /// Opens a part of a file, once it is the reader's turn.
    /// - Parameters:
    ///   - cut: ends the connection, see ``DownloadSlots/take(_:cut:)``.
    ///   - waiting: called around the wait for its turn, for callers that count those who wait.
    /// - Throws: `file_gone` if the store has lost it; `unavailable`, also if too many files are being read.
    func bytes(
        of file: ChatFile, _ range: Range<Int>, for reader: DownloadReader, cut: @escaping DownloadSlots.Cut,
        waiting: (@Sendable () async throws -> DownloadSlots.Slot) async throws -> DownloadSlots.Slot
    ) async throws -> FileBytes {
        if let slot = slots.takeNow(reader, cut: cut) { return Self.slotted(try await read(file, range), slot) }
        let slot = try await waiting { [slots] in try await slots.take(reader, cut: cut) }
        return Self.slotted(try await read(file, range), slot)
    }

    private static func slotted(
        _ bytes: some AsyncSequence<ByteBuffer, any Error> & Sendable, _ slot: DownloadSlots.Slot
    ) -> FileBytes {
        SlottedBytes(bytes, slot)
    }

    private func read(_ file: ChatFile, _ range: Range<Int>) async throws -> FileBytes {
        let store = try storage.require()
        do {
            return try await store.read(file.fileID.rawValue, range: range)
        } catch .notFound {
            if case .none = try await files.file(file.fileID, for: nil) { throw ChatError(.fileNotFound) }
            // Either it was deleted a moment ago, or the store was changed behind the servers' backs.
            logger.warning("a file is not in its store", metadata: ["fileId": "\(file.fileID)"])
            throw ChatError(.fileGone)
        } catch {
            logger.warning("a file cannot be read", metadata: ["reason": "\(RedactedReason.of(error))"])
            throw ChatError.unavailable("Files cannot be read right now")
        }
    }

    /// Deletes a file that no message names.
    /// - Throws: `file_not_found`, `forbidden`, `file_in_use`.
    func delete(_ fileID: FileID, by userID: UserID) async throws {
        _ = try storage.require()
        switch try await files.delete(fileID, by: userID) {
        case .deleted: return
        case .none: throw ChatError(.fileNotFound)
        case .notUploader: throw ChatError(.forbidden, "Only its uploader deletes a file")
        case .inUse: throw ChatError(.fileInUse)
        }
    }
}

/// The contract's `File`.
struct FileView: JSONEncodable {
    let file: ChatFile
    let url: String
    let thumbnailURL: String?

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.fileID, file.fileID.rawValue)
            writer.member("roomId", file.roomID.rawValue)
            writer.member("name", file.name)
            writer.member("mimeType", file.mimeType)
            writer.member("fileSize", Int64(file.size))
            writer.member("sha256", Hexadecimal.encode(file.sha256))
            writer.member("width", ifPresent: file.width.map(Int64.init))
            writer.member("height", ifPresent: file.height.map(Int64.init))
            writer.member("url", url)
            writer.member("thumbnailUrl", ifPresent: thumbnailURL)
            writer.member("createdAt", file.createdAt)
        }
    }
}

/// `{items}`.
struct FileList: JSONEncodable {
    let items: [FileView]

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("items")
            writer.array(items) { $1.write(to: &$0) }
        }
    }
}
