import ChatEvents
import ChatStorage
import CommonUtil

/// Who may do what in a room, as the contract's table has it. Pure.
enum RoomRules {
    /// Length of a room's name, in Unicode scalars.
    static let nameLength = 1...64
    /// The number of first members, at most.
    static let maximumFirstMembers = 1_000

    /// Checks adding a user to a room.
    static func checkAdding(to room: Room, by actor: MemberRole, as role: MemberRole) throws(ChatError) {
        try checkOpen(room)
        guard actor == .owner || actor == .admin else {
            throw ChatError(.forbidden, "Only the owner and admins add members")
        }
        guard role != .owner else { throw .invalid("role", "a room has one owner") }
        guard role == .member || actor == .owner else { throw ChatError(.forbidden, "Only the owner gives roles") }
    }

    /// Checks removing another member.
    static func checkRemoving(_ target: MemberRole, from room: Room, by actor: MemberRole) throws(ChatError) {
        try checkOpen(room)
        switch (actor, target) {
        case (.owner, .admin), (.owner, .member), (.admin, .member): return
        default: throw ChatError(.forbidden, "An admin removes members, the owner removes admins too")
        }
    }

    /// Checks that members and name may change: not in an archived room, nor in a `direct` one, which keeps its two
    /// members and is named after them.
    static func checkOpen(_ room: Room) throws(ChatError) {
        guard room.type != .direct else { throw ChatError(.directRoom) }
        guard !room.isArchived else { throw ChatError(.roomArchived) }
    }

    /// Checks changing a member's role.
    static func checkRoleChange(of target: MemberRole, to role: MemberRole, in room: Room, by actor: MemberRole)
        throws(ChatError)
    {
        try checkOpen(room)
        guard actor == .owner else { throw ChatError(.forbidden, "Only the owner changes roles") }
        guard role != .owner else { throw .invalid("role", "a room has one owner; leave to hand it on") }
        guard target != .owner else { throw ChatError(.ownerRole) }
    }

    /// Checks renaming a room.
    static func checkRenaming(_ room: Room, by actor: MemberRole) throws(ChatError) {
        try checkOpen(room)
        guard actor == .owner || actor == .admin else {
            throw ChatError(.forbidden, "Only the owner and admins rename")
        }
    }

    /// Checks archiving a room, which in a `direct` one both members may do.
    static func checkArchiving(_ room: Room, by actor: MemberRole) throws(ChatError) {
        guard actor == .owner || room.type == .direct else {
            throw ChatError(.forbidden, "Only the owner archives a room")
        }
    }
}
