/// The `eventType` of an event.
public enum EventType: String, CaseIterable, Sendable {
    // In the room's log, with a `seq`.
    case message
    case messageEdited = "message_edited"
    case messageDeleted = "message_deleted"
    case memberJoined = "member_joined"
    case memberLeft = "member_left"
    case memberRoleChanged = "member_role_changed"
    case roomUpdated = "room_updated"
    case roomArchived = "room_archived"
    // Passing by, without one.
    case read
    case typing
    // From a server to one of its sessions.
    case ready
    case caughtUp = "caught_up"
    case tokenExpiring = "token_expiring"
    case reconnect
    case pong
    case error
}

/// What a member may do in a room.
public enum MemberRole: String, CaseIterable, Sendable {
    case owner, admin, member
}
