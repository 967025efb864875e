import ChatEvents
import ChatStorage
import CommonUtil

/// What may be uploaded. Pure.
struct UploadRules: Sendable {
    /// Size of a thumbnail, in bytes.
    static let maximumThumbnailBytes = 512 * 1_024
    /// Width and height of a thumbnail, in pixels.
    static let maximumThumbnailSide = 640
    /// The query parameter that makes a file a thumbnail.
    static let thumbnailField = "thumbnailOf"

    /// Size of a file, in bytes.
    let maximumBytes: Int

    /// The requirement on an `Idempotency-Key`, for error messages.
    static let idempotencyKeyRequirement = "must have 1–64 printable ASCII characters"

    /// Whether the value of a header can be an `Idempotency-Key`.
    ///
    /// ASCII only: bytes that are no UTF-8 reach us as U+FFFD, so that two keys would look the same.
    static func isIdempotencyKey(_ value: String) -> Bool {
        (1...64).contains(value.utf8.count) && value.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    }

    /// Checks that a user may post in a room.
    /// - Parameter isOpen: whether public rooms take posts from non-members (`trusted` mode).
    /// - Throws: `room_not_found` also for a room that is hidden from the user; `not_a_member`, `room_archived`.
    static func checkPosting(_ access: RoomAccess?, by userID: UserID, isOpen: Bool) throws(ChatError) {
        guard let access, access.isVisible(for: userID) else { throw ChatError(.roomNotFound) }
        guard access.role != nil || isOpen || userID.isInstallation else { throw ChatError(.notAMember) }
        guard !access.room.isArchived else { throw ChatError(.roomArchived) }
    }

    /// Checks the size so far, or as it was announced.
    /// - Throws: `file_too_large`.
    func check(size: Int, isThumbnail: Bool) throws(ChatError) {
        let maximum = isThumbnail ? min(Self.maximumThumbnailBytes, maximumBytes) : maximumBytes
        guard size <= maximum else {
            throw ChatError(.fileTooLarge, "The \(isThumbnail ? "thumbnail" : "file") has more than \(maximum) bytes")
        }
    }

    /// Checks the bytes as a whole.
    /// - Throws: `validation_failed` for an empty body, and for what is no thumbnail.
    static func check(_ bytes: UploadedBytes, isThumbnail: Bool) throws(ChatError) {
        guard bytes.size > 0 else { throw emptyBody }
        guard isThumbnail else { return }
        let types = [MediaType.png, .jpeg, .webp].map(\.rawValue)
        guard types.contains(bytes.mimeType), let width = bytes.width, let height = bytes.height,
            max(width, height) <= maximumThumbnailSide
        else {
            throw .invalid(
                thumbnailField,
                "a thumbnail must be a PNG, JPEG or WebP of at most \(maximumThumbnailSide) pixels a side")
        }
    }

    /// The error for a body without bytes.
    static let emptyBody = ChatError.invalid("body", "must not be empty")
    /// The error for a thumbnail of what is no file of the same room and uploader.
    static let noOriginal = ChatError.invalid(thumbnailField, "must name a file of this room that you have uploaded")
}
