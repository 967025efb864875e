import ChatEvents
import ChatStorage
import CommonUtil

/// The use cases of members: listing, adding, removing, joining, leaving, roles.
struct MemberService: Sendable {
    /// The name of the list of members in its cursors.
    static let list = "members"

    let rooms: RoomService

    /// A page of a room's members.
    /// - Throws: `room_not_found` also for a room that is hidden from this user.
    func members(of roomID: RoomID, for userID: UserID, cursor: Cursor?, limit: Int) async throws -> Page<RoomMember> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let userID = UserID(text: cursor.parts[0]) else {
                throw ChatError.notFromThisList
            }
            return userID
        }
        let fetched = try await rooms.read(in: roomID) {
            try await $0.members(of: roomID, for: userID, after: last, limit: limit + 1)
        }
        return Page(fetched: fetched, limit: limit, cursor: { Cursor(of: Self.list, [$0.userID.description]) })
    }

    /// Adds a user to a room.
    /// - Throws: the errors of ``RoomRules/checkAdding(to:by:as:)``; `already_member`, `left_room`, `not_addable`.
    func add(_ userID: UserID, as role: MemberRole, to roomID: RoomID, by actorID: UserID) async throws -> RoomMember {
        try await rooms.requireRegistered([userID], field: "userId")
        try await rooms.requireNoGuest([userID])
        try await rooms.change(roomID, by: actorID) { room, actor in
            try RoomRules.checkAdding(to: room.room, by: actor.role, as: role)
            guard try await room.member(userID) == nil else { throw ChatError(.alreadyMember) }
            guard try await !room.hasLeft(userID) else { throw ChatError(.leftRoom) }
            guard try await room.mayAdd(userID, by: actorID) else { throw ChatError(.notAddable) }
            try await room.join(userID, as: role, by: actorID)
        }
        return try await member(userID, of: roomID)
    }

    /// Removes a member; removing oneself is leaving.
    /// - Throws: the errors of ``RoomRules/checkRemoving(_:from:by:)``; `member_not_found`.
    func remove(_ userID: UserID, from roomID: RoomID, by actorID: UserID) async throws {
        guard userID != actorID else { return try await leave(roomID, actorID) }
        try await rooms.change(roomID, by: actorID) { room, actor in
            guard let target = try await room.member(userID) else {
                try RoomRules.checkRemoving(.member, from: room.room, by: actor.role)
                throw ChatError(.memberNotFound)
            }
            try RoomRules.checkRemoving(target.role, from: room.room, by: actor.role)
            try await room.leave(userID, by: actorID)
        }
    }

    /// Changes a member's role.
    /// - Throws: the errors of ``RoomRules/checkRoleChange(of:to:in:by:)``; `member_not_found`.
    func setRole(_ role: MemberRole, of userID: UserID, in roomID: RoomID, by actorID: UserID) async throws
        -> RoomMember
    {
        try await rooms.change(roomID, by: actorID) { room, actor in
            guard let target = try await room.member(userID) else {
                try RoomRules.checkRoleChange(of: .member, to: role, in: room.room, by: actor.role)
                throw ChatError(.memberNotFound)
            }
            try RoomRules.checkRoleChange(of: target.role, to: role, in: room.room, by: actor.role)
            if target.role != role { try await room.setRole(role, of: userID, by: actorID) }
        }
        return try await member(userID, of: roomID)
    }

    /// Joins a public room. Nothing changes for a member.
    /// - Throws: `room_not_found` also for a room that is not public; `forbidden` for the installation.
    func join(_ roomID: RoomID, _ userID: UserID) async throws -> Room {
        guard !userID.isInstallation else { throw ChatError.neverAMember }
        _ = try await rooms.visible(roomID, for: userID)
        let joined = try await rooms.changeLocked(roomID) { room in
            if try await room.member(userID) != nil { return }
            guard room.room.type == .public else { throw ChatError(.roomNotFound) }
            try RoomRules.checkOpen(room.room)
            try await room.join(userID, as: .member, by: userID)
        }
        return try await rooms.asSeen(joined, by: userID)
    }

    /// Leaves a room. Ownership passes on where another member may own the room; when the last member leaves, it is
    /// archived.
    /// - Throws: `direct_room`.
    func leave(_ roomID: RoomID, _ userID: UserID) async throws {
        guard !userID.isInstallation else { throw ChatError.neverAMember }
        try await rooms.change(roomID, by: userID) { room, member in
            guard room.room.type != .direct else { throw ChatError(.directRoom) }
            try await Self.remove(member, from: &room, by: userID)
        }
    }

    /// Takes a user who is erased out of a room, as if the user had left. Nothing changes for a non-member.
    /// - Parameter actorID: who erases the user.
    func depart(from roomID: RoomID, _ userID: UserID, by actorID: UserID) async throws {
        try await rooms.changeLocked(roomID) { room in
            guard let member = try await room.member(userID) else { return }
            try await Self.remove(member, from: &room, by: actorID)
        }
    }

    /// Removes a member who leaves voluntarily, or is erased.
    private static func remove(_ member: RoomMember, from room: inout LockedRoom, by actorID: UserID) async throws {
        let userID = member.userID
        try await room.leave(userID, by: actorID)
        if member.role == .owner {
            let successor = try await room.successor(of: userID)
            try await room.setOwner(successor)
            if let successor { try await room.setRole(.owner, of: successor, by: actorID) }
        }
        if room.room.memberCount == 0, !room.room.isArchived { try await room.archive(by: actorID) }
    }

    private func member(_ userID: UserID, of roomID: RoomID) async throws -> RoomMember {
        guard let member = try await rooms.rooms.member(userID, of: roomID) else { throw ChatError(.memberNotFound) }
        return member
    }
}
