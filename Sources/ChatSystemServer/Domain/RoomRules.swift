import ChatEvents
import ChatStorage
import CommonUtil

/// Who may do what in a room: the contract's table. Pure.
enum RoomRules {
    static let nameLength = 1...64
    /// Members that a room may be made with.
    static let maximumFirstMembers = 1_000

    /// Adding someone to a room.
    static func checkAdding(to room: Room, by actor: MemberRole, as role: MemberRole) throws(ChatError) {
        try checkOpen(room)
        guard actor == .owner || actor == .admin else {
            throw ChatError(.forbidden, "Only the owner and admins add members")
        }
        guard role != .owner else { throw .invalid("role", "a room has one owner") }
        guard role == .member || actor == .owner else { throw ChatError(.forbidden, "Only the owner gives roles") }
    }

    /// Removing someone else.
    static func checkRemoving(_ target: MemberRole, from room: Room, by actor: MemberRole) throws(ChatError) {
        try checkOpen(room)
        switch (actor, target) {
        case (.owner, .admin), (.owner, .member), (.admin, .member): return
        default: throw ChatError(.forbidden, "An admin removes members, the owner removes admins too")
        }
    }

    /// What changes who is in a room, or its name: a `direct` room has two members for good, whose names it has.
    static func checkOpen(_ room: Room) throws(ChatError) {
        guard room.type != .direct else { throw ChatError(.directRoom) }
        guard !room.isArchived else { throw ChatError(.roomArchived) }
    }

    static func checkRoleChange(of target: MemberRole, to role: MemberRole, in room: Room, by actor: MemberRole)
        throws(ChatError)
    {
        try checkOpen(room)
        guard actor == .owner else { throw ChatError(.forbidden, "Only the owner changes roles") }
        guard role != .owner else { throw .invalid("role", "a room has one owner; leave to hand it on") }
        guard target != .owner else { throw ChatError(.ownerRole) }
    }

    static func checkRenaming(_ room: Room, by actor: MemberRole) throws(ChatError) {
        try checkOpen(room)
        guard actor == .owner || actor == .admin else {
            throw ChatError(.forbidden, "Only the owner and admins rename")
        }
    }

    /// A `direct` room is archived by either of its two.
    static func checkArchiving(_ room: Room, by actor: MemberRole) throws(ChatError) {
        guard actor == .owner || room.type == .direct else {
            throw ChatError(.forbidden, "Only the owner archives a room")
        }
    }
}
