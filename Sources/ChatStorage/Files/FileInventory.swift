import CommonUtil
import PostgresClient

/// What the database says about the bytes of files, for a comparison with their store.
public struct FileInventory: Sendable {
    /// What is known of the bytes under one key.
    public struct Record: Equatable, Sendable {
        /// Whether bytes have to be there.
        public enum State: String, Equatable, Sendable {
            /// They have to be in the store.
            case stored
            /// An upload is under way, or the bytes are being removed: they may be there or not.
            case changing
            /// They are gone; the row is only kept because messages name the file.
            case removed
        }

        /// The file's id, which is the key of its bytes.
        public let key: FileID
        public let state: State
        /// In bytes; `nil` while an upload is under way.
        public let size: Int?
        public let isThumbnail: Bool
        /// Whether it is the thumbnail of a file that is not there.
        public let isOrphan: Bool

        /// Describes a file.
        public init(key: FileID, state: State, size: Int?, isThumbnail: Bool = false, isOrphan: Bool = false) {
            self.key = key
            self.state = state
            self.size = size
            self.isThumbnail = isThumbnail
            self.isOrphan = isOrphan
        }

        fileprivate init(_ row: PostgresRow) throws(PostgresError) {
            let text = try row.decode(column: 1, as: String.self)
            guard let state = State(rawValue: text) else { throw .decoding("a file has the state \(text)") }
            self.init(
                key: FileID(verified: try row.decode(column: 0)), state: state, size: try row.decode(column: 2),
                isThumbnail: try row.decode(column: 3), isOrphan: try row.decode(column: 4))
        }
    }

    private let database: ChatDatabase

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase) { self.database = database }

    /// A page of all files and uploads, in the order of their keys.
    /// - Parameter key: the last one of the page before.
    public func page(after key: FileID?, limit: Int) async throws -> [Record] {
        try await database.query(Self.selectPage, .text(key?.rawValue ?? ""), .int8(limit)).map { try Record($0) }
    }

    /// What is known of these keys, in any order. There is no record of what the database does not know.
    public func records(of keys: [FileID]) async throws -> [Record] {
        try await database.query(Self.selectKeys, .textArray(keys.map(\.rawValue))).map { try Record($0) }
    }

    // The thumbnail of a file that is being removed goes after it, see FileRemoval.
    private static let fileColumns = """
        files.file_id, CASE WHEN files.deleted_at IS NULL THEN 'stored' WHEN files.remove_at IS NULL THEN 'removed'
            ELSE 'changing' END, files.size, files.thumbnail_of IS NOT NULL,
        files.thumbnail_of IS NOT NULL AND files.deleted_at IS NULL AND NOT EXISTS (
            SELECT FROM files AS originals WHERE originals.file_id = files.thumbnail_of
                AND (originals.deleted_at IS NULL OR originals.remove_at IS NOT NULL)
        )
        """
    private static let uploadColumns = "file_uploads.file_id, 'changing', NULL::bigint, false, false"
    // One statement, so that an upload that becomes a file meanwhile is seen as one of both.
    private static let selectPage = PostgresStatement(
        """
        SELECT * FROM (
            (SELECT \(fileColumns) FROM files WHERE file_id > $1 ORDER BY file_id LIMIT $2)
            UNION ALL
            (SELECT \(uploadColumns) FROM file_uploads WHERE file_id > $1 ORDER BY file_id LIMIT $2)
        ) AS known (file_id, state, size, is_thumbnail, is_orphan) ORDER BY file_id LIMIT $2
        """)
    private static let selectKeys = PostgresStatement(
        """
        SELECT \(fileColumns) FROM files WHERE file_id = ANY ($1)
        UNION ALL
        SELECT \(uploadColumns) FROM file_uploads WHERE file_id = ANY ($1)
        """)
}
