import CommonUtil
import Crypto
import PostgresClient

/// An upload in progress.
public struct FileUpload: Sendable {
    /// The id that the file will have.
    public let fileID: FileID
    public let roomID: RoomID
    public let uploaderID: UserID
    public let name: String
    /// The file that this one will be the thumbnail of.
    public let thumbnailOf: FileID?
    /// The uploader's idempotency key.
    public let key: String?
    /// SHA-256 of the request without its body, by which a repeated key is recognized as the same request.
    public let requestHash: [UInt8]

    /// Describes an upload.
    public init(
        fileID: FileID = .random(), roomID: RoomID, uploaderID: UserID, name: String, thumbnailOf: FileID? = nil,
        key: String? = nil
    ) {
        self.fileID = fileID
        self.roomID = roomID
        self.uploaderID = uploaderID
        self.name = name
        self.thumbnailOf = thumbnailOf
        self.key = key
        requestHash = Self.hash([roomID.rawValue, name, thumbnailOf?.rawValue ?? ""])
    }

    private static func hash(_ parts: [String]) -> [UInt8] {
        var digest = SHA256()
        for part in parts { digest.update(data: Array(part.utf8) + [0]) }
        return digest.finalize().withUnsafeBytes { Array($0) }
    }
}

/// The content of a completed upload.
public struct UploadedBytes: Equatable, Sendable {
    /// In bytes.
    public let size: Int
    /// The digest of all bytes: 32 bytes.
    public let sha256: [UInt8]
    /// By the bytes, not by what the client said.
    public let mimeType: String
    /// In pixels, as displayed; `nil` if it is not known.
    public let width: Int?
    /// In pixels, as ``width``.
    public let height: Int?

    /// Describes the bytes.
    public init(size: Int, sha256: [UInt8], mimeType: String, width: Int?, height: Int?) {
        self.size = size
        self.sha256 = sha256
        self.mimeType = mimeType
        self.width = width
        self.height = height
    }
}

/// Uploads, as the servers that take them share them: each is held by one server, by a lease.
public struct FileUploads: Sendable {
    /// How long an upload is held without ``renew(_:)``.
    public static let lease = Duration.seconds(15)

    /// The result of ``begin(_:)``.
    public enum BeginResult: Equatable, Sendable {
        case begun
        /// There is a file of this key and request.
        case repeated(ChatFile)
        /// The key belongs to another request.
        case keyReused
        /// The first upload of this key is still under way.
        case inProgress
    }

    /// The result of ``finish(_:_:quota:)``.
    public enum FinishResult: Equatable, Sendable {
        case stored(ChatFile)
        /// The lease was lost.
        case lost
        /// The user's files would be larger than the quota.
        case quota
        /// The uploader has been erased meanwhile.
        case erased
        /// The file that this one was to be the thumbnail of is not there, another user's, or a thumbnail itself.
        case noOriginal
    }

    private let database: ChatDatabase
    /// This server, by a number that no other one has.
    private let holder: Int64

    /// - Parameter database: the database to use.
    public init(_ database: ChatDatabase, holder: Int64 = .random(in: 1 ... .max)) {
        self.database = database
        self.holder = holder
    }

    /// Looks for an earlier request with the key of this one. Costs no transaction and writes nothing.
    /// - Returns: `nil` if there is none, or no key; then ``begin(_:)`` decides.
    public func earlier(_ upload: FileUpload) async throws -> BeginResult? {
        guard let key = upload.key else { return nil }
        let parameters = [PostgresParameter.int8(upload.uploaderID.rawValue), .text(key)]
        // In this order: an upload that ends in between is seen by the second statement.
        if let row = try await database.query(Self.selectUpload, parameters).first {
            return try Self.underWay(row, upload)
        }
        return try await database.query(Self.selectStored, parameters).first.map { try Self.stored($0, upload) }
    }

    private static func underWay(_ row: PostgresRow, _ upload: FileUpload) throws -> BeginResult {
        try row.decode(column: 0, as: [UInt8].self) == upload.requestHash ? .inProgress : .keyReused
    }

    private static func stored(_ row: PostgresRow, _ upload: FileUpload) throws -> BeginResult {
        let isSame = try row.decode(column: 0, as: [UInt8].self) == upload.requestHash
        return isSame ? .repeated(try ChatFile(row, from: 1)) : .keyReused
    }

    /// Begins an upload, before the first byte is read.
    public func begin(_ upload: FileUpload) async throws -> BeginResult {
        try await database.withTransaction { transaction in
            let owner = PostgresParameter.int8(upload.uploaderID.rawValue)
            if let key = upload.key { _ = try await transaction.query(Self.freeKey, owner, .text(key)) }
            let inserted = try await transaction.query(
                Self.insert, .text(upload.fileID.rawValue), owner, .text(upload.key), .bytea(upload.requestHash),
                .int8(holder), .int8(Int64(Self.lease / .microseconds(1))))
            guard let key = upload.key else { return .begun }
            // In this order: what was stored under the key since is seen now.
            if let row = try await transaction.query(Self.selectStored, owner, .text(key)).first {
                _ = try await transaction.query(Self.delete, .text(upload.fileID.rawValue), .int8(holder))
                return try Self.stored(row, upload)
            }
            guard inserted.affectedRows == 0 else { return .begun }
            let first = try await transaction.query(Self.selectUpload, owner, .text(key)).first
            return try first.map { try Self.underWay($0, upload) } ?? .inProgress
        }
    }

    /// Extends the lease.
    /// - Returns: `false` if it is lost: the upload is being removed, or another one has taken its key over.
    public func renew(_ upload: FileUpload) async throws -> Bool {
        try await database.query(
            Self.renew, .text(upload.fileID.rawValue), .int8(holder), .int8(Int64(Self.lease / .microseconds(1))),
            .text(upload.key)
        ).affectedRows == 1
    }

    /// Ends an upload of which no byte was sent to the store. Its key is free then.
    public func cancel(_ upload: FileUpload) async throws {
        _ = try await database.query(Self.delete, .text(upload.fileID.rawValue), .int8(holder))
    }

    /// Gives an upload up whose bytes may be in the store, or may still come there; they are removed later
    /// (``FileRemoval/takeUploads(limit:)``). Its key is free then.
    public func abandon(_ upload: FileUpload) async throws {
        _ = try await database.query(Self.abandon, .text(upload.fileID.rawValue), .int8(holder))
    }

    /// Makes an upload whose bytes are in the store a file.
    /// - Parameter quota: of all files of a user, in bytes; 0 for none. The installation has none.
    /// - Throws: also if the outcome is not known: then the bytes must stay where they are.
    public func finish(_ upload: FileUpload, _ bytes: UploadedBytes, quota: Int) async throws -> FinishResult {
        do {
            return try await database.withTransaction { try await finish(upload, bytes, quota: quota, $0) }
        } catch let refusal as Refusal {
            return refusal.end
        } catch let error as PostgresError where error.sqlState == .uniqueViolation {
            // Another server has taken the key over, and stored a file under it.
            return .lost
        }
    }

    /// Rolls the transaction back.
    private struct Refusal: Error {
        let end: FinishResult
    }

    private func finish(
        _ upload: FileUpload, _ bytes: UploadedBytes, quota: Int, _ transaction: PostgresTransaction
    ) async throws -> FinishResult {
        let owner = PostgresParameter.int8(upload.uploaderID.rawValue)
        let fileID = PostgresParameter.text(upload.fileID.rawValue)
        guard try await transaction.query(Self.delete, fileID, .int8(holder)).affectedRows == 1 else {
            throw Refusal(end: .lost)
        }
        // Waits for an erasure in progress, which would not see this file.
        if let row = try await transaction.query(Self.lockUser, owner).first, try row.decode(column: 0, as: Bool.self) {
            throw Refusal(end: .erased)
        }
        let quota = upload.uploaderID.isInstallation ? 0 : quota
        if quota > 0 { _ = try await transaction.query(Self.lockQuota, owner) }
        if let original = upload.thumbnailOf {
            let locked = try await transaction.query(
                Self.lockOriginal, .text(original.rawValue), .text(upload.roomID.rawValue), owner)
            guard !locked.isEmpty else { throw Refusal(end: .noOriginal) }
            _ = try await transaction.query(Self.deleteThumbnail, .text(original.rawValue))
        }
        // Now the thumbnail that is replaced counts no more.
        if quota > 0 {
            let used = try await transaction.query(FileRepository.selectSize, owner).first
            let size = try used?.decode(column: 0, as: Int.self) ?? 0
            guard size <= quota - bytes.size else { throw Refusal(end: .quota) }
        }
        let row = try await transaction.query(
            Self.insertFile, fileID, .text(upload.roomID.rawValue), owner, .text(upload.name), .text(bytes.mimeType),
            .int8(bytes.size), .bytea(bytes.sha256), .int4(bytes.width.map { Int32(clamping: $0) }),
            .int4(bytes.height.map { Int32(clamping: $0) }), .text(upload.thumbnailOf?.rawValue), .text(upload.key),
            .bytea(upload.key == nil ? nil : upload.requestHash)
        ).first
        guard let row else { throw PostgresError.decoding("a file that is stored is not there") }
        return .stored(try ChatFile(row))
    }

    // A lapsed upload loses its key only: its bytes may be in the store.
    private static let freeKey = PostgresStatement(
        """
        UPDATE file_uploads SET idempotency_key = NULL
        WHERE uploader_id = $1 AND idempotency_key = $2 AND held_until < now()
        """)
    private static let insert = PostgresStatement(
        """
        INSERT INTO file_uploads (file_id, uploader_id, idempotency_key, request_hash, holder, held_until)
        VALUES ($1, $2, $3, $4, $5, now() + $6::bigint * interval '1 microsecond')
        ON CONFLICT (uploader_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        """)
    private static let selectStored = PostgresStatement(
        """
        SELECT files.request_hash, \(ChatFile.columns) FROM files
        WHERE uploader_id = $1 AND idempotency_key = $2 AND deleted_at IS NULL
        """)
    private static let selectUpload = PostgresStatement(
        """
        SELECT request_hash FROM file_uploads
        WHERE uploader_id = $1 AND idempotency_key = $2 AND held_until >= now()
        """)
    private static let renew = PostgresStatement(
        """
        UPDATE file_uploads SET held_until = now() + $3::bigint * interval '1 microsecond'
        WHERE file_id = $1 AND holder = $2 AND idempotency_key IS NOT DISTINCT FROM $4
        """)
    private static let delete = PostgresStatement("DELETE FROM file_uploads WHERE file_id = $1 AND holder = $2")
    private static let abandon = PostgresStatement(
        "UPDATE file_uploads SET idempotency_key = NULL, held_until = now() WHERE file_id = $1 AND holder = $2")
    private static let lockUser = PostgresStatement(
        "SELECT erased_at IS NOT NULL FROM users WHERE user_id = $1 FOR SHARE")
    // "file" in ASCII.
    private static let lockQuota = PostgresStatement("SELECT pg_advisory_xact_lock(\(0x6669_6C65), hashint8($1))")
    private static let lockOriginal = PostgresStatement(
        """
        SELECT FROM files WHERE file_id = $1 AND room_id = $2 AND uploader_id = $3 AND thumbnail_of IS NULL
            AND deleted_at IS NULL FOR UPDATE
        """)
    private static let deleteThumbnail = PostgresStatement(
        """
        UPDATE files SET deleted_at = now(), remove_at = now() WHERE thumbnail_of = $1 AND deleted_at IS NULL
        """)
    private static let insertFile = PostgresStatement(
        """
        INSERT INTO files (file_id, room_id, uploader_id, name, mime_type, size, sha256, width, height, thumbnail_of,
            idempotency_key, request_hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING \(ChatFile.columns)
        """)
}
