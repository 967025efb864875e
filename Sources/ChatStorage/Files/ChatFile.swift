import ChatEvents
import CommonUtil
import PostgresClient

/// A file, as it is stored.
public struct ChatFile: Equatable, Sendable {
    public let fileID: FileID
    public let roomID: RoomID
    /// Who uploaded it, and alone may post it.
    public let uploaderID: UserID
    /// A label, never a part of a path.
    public let name: String
    /// The type by its bytes, with which it is served.
    public let mimeType: String
    /// In bytes.
    public let size: Int
    /// The digest of the bytes: 32 bytes, also the `ETag` of a download.
    public let sha256: [UInt8]
    /// In pixels, as displayed; `nil` if they are not known.
    public let width: Int?
    /// In pixels, as ``width``.
    public let height: Int?
    /// The file that this one is the thumbnail of.
    public let thumbnailOf: FileID?
    /// The thumbnail of this file.
    public let thumbnailID: FileID?
    /// When its upload was complete.
    public let createdAt: Timestamp
}

/// Files as rows. Columns are read by position, in this order.
extension ChatFile {
    static let columns = """
        files.file_id, files.room_id, files.uploader_id, files.name, files.mime_type, files.size, files.sha256, files.width,
        files.height, files.thumbnail_of, (
            SELECT thumbnails.file_id FROM files AS thumbnails
            WHERE thumbnails.thumbnail_of = files.file_id AND thumbnails.thumbnail_of IS NOT NULL
                AND thumbnails.deleted_at IS NULL LIMIT 1
        ), files.created_at
        """

    /// - Parameter column: the position of the file's first column.
    init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
        self.init(
            fileID: FileID(verified: try row.decode(column: column)),
            roomID: RoomID(verified: try row.decode(column: column + 1)),
            uploaderID: try row.userID(column: column + 2), name: try row.decode(column: column + 3),
            mimeType: try row.decode(column: column + 4), size: try row.decode(column: column + 5),
            sha256: try row.decode(column: column + 6),
            width: try row.decode(column: column + 7, as: Int32?.self).map(Int.init),
            height: try row.decode(column: column + 8, as: Int32?.self).map(Int.init),
            thumbnailOf: try row.decode(column: column + 9, as: String?.self).map(FileID.init(verified:)),
            thumbnailID: try row.decode(column: column + 10, as: String?.self).map(FileID.init(verified:)),
            createdAt: try row.timestamp(column: column + 11))
    }
}

// MARK: - In messages

extension ChatFile {
    /// Fills what is known of the file into a payload that names it.
    /// - Parameter contentJSON: an object, as it was sent.
    /// - Returns: its canonical text.
    /// - Throws: `validation_failed` (422) if it becomes too long.
    public func filling(_ contentJSON: String) throws(ChatError) -> String {
        guard case .object(let payload)? = try? JSONParser.parse(Array(contentJSON.utf8)) else {
            throw .invalid("payload", "must be an object")
        }
        var members: [JSONObject.Member] = [
            ("fileName", .string(name)), ("mimeType", .string(mimeType)), ("fileSize", .number(String(size))),
        ]
        if let width, let height {
            members += [("width", .number(String(width))), ("height", .number(String(height)))]
        }
        let text = JSONValue.object(payload.merging(members)).canonicalText
        guard text.utf8.count <= MessageDraft.maximumContentBytes else {
            throw .invalid("payload", "must not exceed \(MessageDraft.maximumContentBytes) bytes")
        }
        return text
    }
}
