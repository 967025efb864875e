import ChatFileStore
import ChatStorage
import CommonServer
import CommonUtil
import Crypto
import Logging
import NIOCore
import Synchronization

/// Takes uploads: to the spool, where they are checked, from there to the store, and then into the database.
///
/// A server that ends at any moment leaves no row without bytes: the row comes last. Bytes without a row are found by the row
/// of the upload, which comes first.
struct UploadService: Sendable {
    /// A request to upload a file.
    struct Request: Sendable {
        var roomID: RoomID
        var name: String
        var thumbnailOf: FileID?
        var uploaderID: UserID
        /// `Idempotency-Key`.
        var key: String?
        /// `Content-Type`. Only the office types depend on it.
        var declaredType: String?
        /// `Content-Length`, in bytes; `nil` if it is not known.
        var length: Int?
        /// Whether the client sends its body only after `100 Continue`.
        var waitsForContinue: Bool
    }

    private static let removalTimeout = Duration.seconds(5)
    private static let lost = ChatError.unavailable("The upload took too long; nothing was stored")

    let storage: FileStorage
    let spool: UploadSpool
    let uploads: FileUploads
    let files: FileRepository
    let rooms: RoomRepository
    let rules: UploadRules
    /// Of all files of a user, in bytes; 0 for none. The installation has none.
    let quota: Int
    let limit: RateLimiter<UserID>
    let slots = UploadSlots()
    let authMode: AuthMode
    let metrics: FileMetrics
    let logger: Logger
    /// Time between two extensions of an upload's lease.
    var leaseRenewal = FileUploads.lease / 3

    /// Takes a file.
    /// - Parameter bytes: read only after all checks that do not need them have passed.
    /// - Returns: the file, and whether it is new; it is not where the request was repeated with its key.
    /// - Throws: the errors of the contract's page.
    func upload(
        _ request: Request, bytes: @Sendable () -> UploadedBody
    ) async throws -> (file: ChatFile, isNew: Bool) {
        let start = ContinuousClock.now
        do {
            let (file, isNew) = try await take(request, bytes)
            if isNew {
                metrics.stored(bytes: file.size, in: .now - start)
            } else {
                metrics.ended(.repeated)
                if !request.waitsForContinue { await discard(bytes()) }
            }
            return (file, isNew)
        } catch {
            metrics.ended(FileMetrics.UploadResult(error))
            throw error
        }
    }

    private func take(
        _ request: Request, _ bytes: @Sendable () -> UploadedBody
    ) async throws -> (file: ChatFile, isNew: Bool) {
        let store = try storage.require()
        let upload = FileUpload(
            roomID: request.roomID, uploaderID: request.uploaderID, name: request.name,
            thumbnailOf: request.thumbnailOf, key: request.key)
        // Checked first: a repeated request does not count against limits, and gets its file even after its user has
        // left.
        if let earlier = try await uploads.earlier(upload), let file = try Self.firstFile(earlier) {
            return (file, false)
        }
        let slot = try slots.take(request.uploaderID)
        defer { withExtendedLifetime(slot) {} }
        let isThumbnail = request.thumbnailOf != nil
        if !isThumbnail, !request.uploaderID.isInstallation { try await limit.check(request.uploaderID) }
        try await checkPlace(request)
        if let file = try Self.firstFile(try await uploads.begin(upload)) { return (file, false) }
        let lease = UploadLease()
        let renewing = renew(lease, of: upload)
        defer { renewing.cancel() }
        let spooled: SpooledFile
        let content: UploadedBytes
        do {
            try await checkLength(request)
            (spooled, content) = try await receive(bytes, request, lease)
        } catch {
            await always { try await uploads.cancel(upload) }
            throw error
        }
        return (try await keep(upload, spooled, content, in: store), true)
    }

    // MARK: Before the body

    /// The file of an earlier request with the same key.
    /// - Returns: `nil` if this is the first one.
    private static func firstFile(_ beginning: FileUploads.BeginResult) throws(ChatError) -> ChatFile? {
        switch beginning {
        case .begun: return nil
        case .repeated(let file): return file
        case .keyReused: throw ChatError(.idempotencyKeyReused)
        case .inProgress: throw ChatError(.uploadInProgress, retryAfterSeconds: 1)
        }
    }

    private func checkPlace(_ request: Request) async throws {
        let isOpen = authMode == .trusted
        let access = try await rooms.withOpenRoom(request.roomID, isOpen: isOpen) {
            try await rooms.access(to: request.roomID, of: request.uploaderID)
        }
        try UploadRules.checkPosting(access, by: request.uploaderID, isOpen: isOpen)
        guard let original = request.thumbnailOf else { return }
        guard case .file(let file) = try await files.file(original, for: request.uploaderID),
            file.roomID == request.roomID, file.uploaderID == request.uploaderID, file.thumbnailOf == nil
        else { throw UploadRules.noOriginal }
    }

    private func checkLength(_ request: Request) async throws {
        if request.length == 0 { throw UploadRules.emptyBody }
        let length = request.length ?? 1
        try rules.check(size: length, isThumbnail: request.thumbnailOf != nil)
        // A thumbnail may replace another one, whose bytes are free then: it is checked at the end of the upload.
        guard quota > 0, request.thumbnailOf == nil, !request.uploaderID.isInstallation else { return }
        guard try await files.size(of: request.uploaderID) <= quota - length else { throw ChatError(.fileQuota) }
    }

    /// Extends the lease until it is lost, or the task is cancelled.
    private func renew(_ lease: UploadLease, of upload: FileUpload) -> Task<Void, any Error> {
        Task {
            while !lease.isLost {
                try await Task.sleep(for: leaseRenewal)
                // While the database is away nobody can take the upload over, and this goes on afterwards.
                if let isHeld = try? await uploads.renew(upload), !isHeld { lease.lose() }
            }
        }
    }

    // MARK: The body

    /// - Parameter bytes: asked for only once the spool has taken the file, since a client that waits for `100 Continue` then
    ///   gets it.
    private func receive(
        _ bytes: @Sendable () -> UploadedBody, _ request: Request, _ lease: UploadLease
    ) async throws -> (SpooledFile, UploadedBytes) {
        var inspector = FileInspector(declaredType: request.declaredType)
        var digest = SHA256()
        do {
            let spooled = try await spool.begin(size: request.length)
            var pieces = bytes().makeAsyncIterator()
            var pace = MinimumUploadRate()
            while true {
                // Another server removes it, or another upload has its key: nothing more is needed of it.
                guard !lease.isLost else { throw Self.lost }
                let start = ContinuousClock.now
                guard let piece = try await pieces.next() else { break }
                let wait = ContinuousClock.now - start
                try rules.check(
                    size: spooled.size + piece.readableBytes, isThumbnail: request.thumbnailOf != nil)
                piece.withUnsafeReadableBytes { bytes in
                    digest.update(bufferPointer: bytes)
                    inspector.append(bytes)
                }
                try await spooled.append(piece)
                if spooled.size != request.length { try pace.note(piece.readableBytes, after: wait) }
            }
            if let length = request.length, spooled.size != length {
                throw ChatError(.malformedRequest, "The body did not arrive whole")
            }
            let format = inspector.finish()
            let content = UploadedBytes(
                size: spooled.size, sha256: Array(digest.finalize()), mimeType: format.mimeType, width: format.width,
                height: format.height)
            try UploadRules.check(content, isThumbnail: request.thumbnailOf != nil)
            return (spooled, content)
        } catch let error as FileStoreError {
            throw unavailable(error, "the spool of uploads")
        }
    }

    /// Reads the body of a repeated request, as long as it comes as an upload has to. Chromium drops a 2xx that it gets
    /// before it has sent everything if the connection ends then; it would repeat the upload for ever.
    private func discard(_ bytes: UploadedBody) async {
        var pieces = bytes.makeAsyncIterator()
        var pace = MinimumUploadRate()
        var size = 0
        do {
            while true {
                let start = ContinuousClock.now
                guard let piece = try await pieces.next() else { return }
                size += piece.readableBytes
                try rules.check(size: size, isThumbnail: false)
                try pace.note(piece.readableBytes, after: .now - start)
            }
        } catch {
            // The response comes early then.
            logger.debug("the body of a repeated upload was not read whole", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: The store

    /// Stores the bytes of an upload that was begun, and makes them a file.
    func keep(
        _ upload: FileUpload, _ spooled: SpooledFile, _ content: UploadedBytes, in store: any FileStore
    ) async throws -> ChatFile {
        let key = upload.fileID.rawValue
        do {
            try await store.put(key, from: spooled.path, size: content.size)
        } catch {
            await drop(upload, from: store)
            throw unavailable(error, "the store of files")
        }
        // If this throws, the row may have been stored all the same, so the bytes have to stay.
        let end = try await uploads.finish(upload, content, quota: quota)
        if case .stored(let file) = end { return file }
        await drop(upload, from: store)
        switch end {
        case .stored(let file): return file
        case .lost: throw Self.lost
        case .quota: throw ChatError(.fileQuota)
        case .erased: throw ChatError(.userDisabled)
        case .noOriginal: throw UploadRules.noOriginal
        }
    }

    /// Removes what is in the store of an upload, now and once more later: an attempt that was given up because it was not
    /// answered in time can still be carried out behind the removal.
    private func drop(_ upload: FileUpload, from store: any FileStore) async {
        // First the key: the client may repeat the request while the store hangs.
        await always { try await uploads.abandon(upload) }
        // The answer does not wait for long.
        _ = await TimeLimit.within(Self.removalTimeout) { try? await store.remove(upload.fileID.rawValue) }
    }

    /// Runs something to its end, even if the request is cancelled. If it fails, the lease runs out.
    private func always(_ body: @escaping @Sendable () async throws -> Void) async {
        _ = await Task { try await body() }.result
    }

    private func unavailable(_ error: FileStoreError, _ place: String) -> ChatError {
        logger.warning(
            "a file is not stored", metadata: ["place": "\(place)", "reason": "\(RedactedReason.of(error))"])
        return .unavailable(
            error == .full ? "There is no space for more files right now" : "Files cannot be stored right now")
    }
}

/// Whether an upload is still held by this server.
private final class UploadLease: Sendable {
    private let lost = Atomic(false)

    var isLost: Bool { lost.load(ordering: .relaxed) }

    func lose() { lost.store(true, ordering: .relaxed) }
}
