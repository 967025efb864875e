import ChatEventBus
import ChatEvents
import ChatStorage
import CommonUtil

/// The use cases of a backend that knows the rooms and their members: listing all rooms, and putting one into a wanted
/// state.
struct ManagedRoomService: Sendable {
    /// The name of the list of all rooms in its cursors.
    static let list = "all rooms"

    let rooms: RoomService

    /// The wanted state of a room. `nil` leaves a property unchanged.
    struct Wanted: Sendable {
        let name: String?
        let type: RoomType?
        /// All members, with at most one owner.
        let members: [UserID: MemberRole]?

        /// The owner; `nil` if nobody owns the room.
        var ownerID: UserID? { members?.first { $0.value == .owner }?.key }
    }

    /// A page of all rooms by id.
    func all(cursor: Cursor?, limit: Int) async throws -> Page<Room> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let roomID = RoomID(cursor.parts[0]) else { throw ChatError.notFromThisList }
            return roomID
        }
        return Page(
            fetched: try await rooms.rooms.allRooms(after: last, limit: limit + 1), limit: limit,
            cursor: { Cursor(of: Self.list, [$0.roomID.rawValue]) })
    }

    /// Makes a room, or changes it to the wanted state. The differences become events of the installation: first the
    /// name, then joins, role changes and removals. `whoMayAdd` and earlier leaves do not matter.
    /// - Returns: the room, and whether it was made now.
    /// - Throws: `validation_failed` for unknown users and for a new room without name or type, `direct_room`,
    ///   `room_type_fixed`, `room_archived`, `room_full`, `guest`. Nothing is done then.
    func put(_ roomID: RoomID, _ wanted: Wanted) async throws -> (room: Room, isNew: Bool) {
        guard wanted.type != .direct else { throw ChatError(.directRoom) }
        if let members = wanted.members {
            try await rooms.requireRegistered(members.keys.sorted(), field: "members")
        }
        if let room = try await change(roomID, to: wanted) { return (room, false) }
        guard let name = wanted.name, let type = wanted.type else {
            let missing = [(wanted.name == nil, "name"), (wanted.type == nil, "type")].filter(\.0).map(\.1)
            throw ChatError(invalid: missing.map { FieldError($0, "is required for a new room") })
        }
        let members = wanted.members ?? [:]
        try await rooms.requireNoGuest(members.keys.sorted())
        let made = try await rooms.rooms.insert(
            roomID, name: name, type: type, ownerID: wanted.ownerID, memberIDs: members.keys.sorted(),
            adminIDs: members.filter { $0.value == .admin }.keys.sorted(), makerID: .installation)
        if let made {
            rooms.publisher.publish(made.userChanges)
            rooms.publisher.note(newRooms: [roomID])
            return (made.room, true)
        }
        // It was made at the same moment.
        guard let room = try await change(roomID, to: wanted) else { throw ChatError(.roomNotFound) }
        return (room, false)
    }

    /// - Returns: `nil` if there is no such room.
    private func change(_ roomID: RoomID, to wanted: Wanted) async throws -> Room? {
        let actorID = UserID.installation
        let changed = try await rooms.rooms.withLockedRoom(roomID) { room in
            try RoomRules.checkOpen(room.room)
            guard wanted.type == nil || wanted.type == room.room.type else { throw ChatError(.roomTypeFixed) }
            if let name = wanted.name, !name.hasSameBytes(as: room.room.name) {
                try await room.rename(to: name, by: actorID)
            }
            guard let members = wanted.members else { return room.room }
            let plan = MembershipPlan(from: try await room.members(), to: members)
            guard try await room.firstGuest(of: plan.joining.map(\.userID)) == nil else { throw ChatError(.guest) }
            try await room.apply(plan, by: actorID)
            if room.room.ownerID != wanted.ownerID { try await room.setOwner(wanted.ownerID) }
            return room.room
        }
        guard let changed else { return nil }
        rooms.publisher.publish(changed.events)
        rooms.publisher.publish(changed.userChanges)
        return changed.result
    }
}
