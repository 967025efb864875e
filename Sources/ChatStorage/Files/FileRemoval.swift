import CommonUtil
import PostgresClient

/// The removal of files that are not needed any more, by any of several servers, each file by one.
///
/// A file is deleted by a mark in its row, which decides against posts; its bytes are removed afterwards. Who removes them
/// postpones `remove_at` first: no other server takes the file meanwhile, and where the removal fails it is tried again.
public struct FileRemoval: Sendable {
    /// The time after which what another server has begun to remove is taken over.
    private static let leaseSeconds = 60
    /// The time for which the bytes of a lost upload are left alone: a server that was suspended can still be writing them.
    private static let uploadGraceSeconds = 600

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// Deletes files that no message has named for too long, and thumbnails that were left without their file.
    /// - Parameter seconds: the age of a file that no message names.
    /// - Returns: the number of files.
    public func deleteUnused(olderThan seconds: Int, limit: Int) async throws -> Int {
        let results = try await database.batch([
            PostgresCommand(Self.deleteUnused, .int8(seconds), .int8(limit)),
            PostgresCommand(Self.deleteOrphans, .int8(limit)),
        ])
        return results.reduce(0) { $0 + $1.affectedRows }
    }

    /// Takes deleted files whose bytes are to be removed now.
    public func take(limit: Int) async throws -> [FileID] {
        try await database.query(Self.take, .int8(Self.leaseSeconds), .int8(limit))
            .map { FileID(verified: try $0.decode(column: 0)) }
    }

    /// Notes that the bytes of a file are gone.
    public func removed(_ fileID: FileID) async throws {
        _ = try await database.batch([
            PostgresCommand(Self.forget, .text(fileID.rawValue)), PostgresCommand(Self.keep, .text(fileID.rawValue)),
        ])
    }

    /// Takes uploads that no server holds any more, whose bytes can be in the store.
    public func takeUploads(limit: Int) async throws -> [FileID] {
        try await database.query(Self.takeUploads, .int8(Self.uploadGraceSeconds), .int8(limit))
            .map { FileID(verified: try $0.decode(column: 0)) }
    }

    /// Notes that the bytes of a lost upload are gone.
    public func uploadRemoved(_ fileID: FileID) async throws {
        _ = try await database.query(Self.forgetUpload, .text(fileID.rawValue))
    }

    private static let mark = "deleted_at = now(), remove_at = now()"
    /// Deletes a file and its thumbnail.
    static let delete = PostgresStatement(
        "UPDATE files SET \(mark) WHERE (file_id = $1 OR thumbnail_of = $1) AND deleted_at IS NULL")
    /// Deletes all files of a user, also those that messages name.
    // Locked in the order of posts and deletions: a file before its thumbnail.
    static let deleteOfUser = PostgresStatement(
        """
        UPDATE files SET \(mark) WHERE file_id IN (
            SELECT file_id FROM files WHERE uploader_id = $1 AND deleted_at IS NULL
            ORDER BY thumbnail_of IS NOT NULL, file_id FOR UPDATE
        )
        """)
    // The lock is taken by the subquery, which then looks at the row again: a post that came first has raised `uses`.
    private static let deleteUnused = PostgresStatement(
        """
        UPDATE files SET \(mark) WHERE file_id IN (
            SELECT file_id FROM files
            WHERE uses = 0 AND thumbnail_of IS NULL AND deleted_at IS NULL
                AND created_at < now() - $1::bigint * interval '1 second'
            ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        """)
    private static let deleteOrphans = PostgresStatement(
        """
        UPDATE files SET \(mark) WHERE deleted_at IS NULL AND thumbnail_of IN (
            SELECT file_id FROM files WHERE remove_at IS NOT NULL AND thumbnail_of IS NULL ORDER BY remove_at LIMIT $1
        )
        """)
    private static let take = PostgresStatement(
        """
        UPDATE files SET remove_at = now() + $1::bigint * interval '1 second' WHERE file_id IN (
            SELECT file_id FROM files WHERE remove_at <= now() ORDER BY remove_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ) RETURNING file_id
        """)
    private static let forget = PostgresStatement(
        """
        DELETE FROM files WHERE file_id = $1 AND deleted_at IS NOT NULL AND uses = 0
            AND NOT EXISTS (SELECT FROM files AS other WHERE other.thumbnail_of = $1 AND other.deleted_at IS NULL)
        """)
    private static let keep = PostgresStatement(
        "UPDATE files SET remove_at = NULL WHERE file_id = $1 AND deleted_at IS NOT NULL AND uses > 0")
    private static let takeUploads = PostgresStatement(
        """
        UPDATE file_uploads SET holder = 0, idempotency_key = NULL, held_until = now() WHERE file_id IN (
            SELECT file_id FROM file_uploads WHERE held_until < now() - $1::bigint * interval '1 second'
            ORDER BY held_until LIMIT $2 FOR UPDATE SKIP LOCKED
        ) RETURNING file_id
        """)
    private static let forgetUpload = PostgresStatement("DELETE FROM file_uploads WHERE file_id = $1 AND holder = 0")
}
