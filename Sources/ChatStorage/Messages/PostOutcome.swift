import ChatEvents

/// What came of a post, decided under its room's lock.
public enum PostOutcome: Equatable, Sendable {
    /// Committed now.
    case stored(PostedMessage)
    /// Committed before, under the same key and for the same request.
    case repeated(Message)
    case refused(PostRefusal)
}

/// Why a post was not stored.
public enum PostRefusal: String, Equatable, Sendable {
    /// No such room, or none that this sender may know of.
    case roomNotFound = "room_not_found"
    /// A public room that the sender has not joined.
    case notAMember = "not_a_member"
    case roomArchived = "room_archived"
    case replyNotFound = "reply_not_found"
    /// The key belongs to another request.
    case keyReused = "key_reused"
}
