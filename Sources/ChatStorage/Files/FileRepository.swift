import ChatEvents
import CommonUtil
import PostgresClient

/// Files as their readers and their uploader see them.
public struct FileRepository: Sendable {
    /// The result of looking for a file.
    public enum LookupResult: Equatable, Sendable {
        /// There is none, or its room is hidden from the reader.
        case none
        /// It is gone, though a message names it: its uploader was erased.
        case gone
        case file(ChatFile)
    }

    /// The result of ``delete(_:by:)``.
    public enum DeletionResult: Equatable, Sendable {
        case deleted
        /// There is none, or its room is hidden from the user.
        case none
        /// It is another user's.
        case notUploader
        /// A message names it.
        case inUse
    }

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// A file, for a user who may read its room.
    /// - Parameter userID: `nil` for a reader with a signed URL, who may read it in any case.
    public func file(_ fileID: FileID, for userID: UserID?) async throws -> LookupResult {
        let rows = try await database.query(Self.select, .textArray([fileID.rawValue]), .int8(userID?.rawValue))
        guard let row = rows.first else { return .none }
        let isDeleted = try row.decode(column: 0, as: Bool.self)
        return isDeleted ? .gone : .file(try ChatFile(row, from: 1))
    }

    /// Those of these files that a user may read, in any order.
    public func files(_ fileIDs: [FileID], for userID: UserID) async throws -> [ChatFile] {
        try await database.query(Self.select, .textArray(fileIDs.map(\.rawValue)), .int8(userID.rawValue))
            .compactMap { row in try row.decode(column: 0, as: Bool.self) ? nil : try ChatFile(row, from: 1) }
    }

    /// Deletes a file that no message names. A post that names it at the same moment comes before or after, by the lock of
    /// the file's row.
    public func delete(_ fileID: FileID, by userID: UserID) async throws -> DeletionResult {
        try await database.withTransaction { transaction in
            let rows = try await transaction.query(Self.lock, .text(fileID.rawValue), .int8(userID.rawValue))
            guard let row = rows.first, try row.decode(column: 2, as: Bool.self) else { return .none }
            guard try row.userID(column: 0) == userID else { return .notUploader }
            guard try row.decode(column: 1, as: Int64.self) == 0 else { return .inUse }
            _ = try await transaction.query(FileRemoval.delete, .text(fileID.rawValue))
            return .deleted
        }
    }

    /// The size of all files of a user, in bytes.
    public func size(of userID: UserID) async throws -> Int {
        try await database.query(Self.selectSize, .int8(userID.rawValue)).first.map { try $0.decode(column: 0) } ?? 0
    }

    /// The id of the installation, by which its store is known, and whether it has any file.
    public func installation() async throws -> (id: String, hasFiles: Bool) {
        guard let row = try await database.query(Self.selectInstallation).first else {
            throw PostgresError.decoding("the feed of changes has no id")
        }
        return (id: try row.decode(column: 0), hasFiles: try row.decode(column: 1))
    }

    private static let isVisible = "LATERAL \(RoomAccess.isVisible(room: "files.room_id", user: "$2"))"
    // A file whose row is only kept because messages name it is `gone`; any other deleted one is none.
    private static let select = PostgresStatement(
        """
        SELECT files.deleted_at IS NOT NULL, \(ChatFile.columns) FROM files
        LEFT JOIN \(isVisible) AS access ON $2::bigint IS NOT NULL
        WHERE files.file_id = ANY ($1) AND ($2::bigint IS NULL OR access.is_visible)
            AND (files.deleted_at IS NULL OR files.uses > 0)
        """)
    private static let lock = PostgresStatement(
        """
        SELECT files.uploader_id, files.uses, coalesce(access.is_visible, false) FROM files
        LEFT JOIN \(isVisible) AS access ON true
        WHERE files.file_id = $1 AND files.deleted_at IS NULL FOR UPDATE OF files
        """)
    static let selectSize = PostgresStatement(
        "SELECT coalesce(sum(size), 0)::bigint FROM files WHERE uploader_id = $1 AND deleted_at IS NULL")
    private static let selectInstallation = PostgresStatement(
        "SELECT lpad(to_hex(feed_id), 16, '0'), EXISTS (SELECT FROM files) FROM change_feed")
}
