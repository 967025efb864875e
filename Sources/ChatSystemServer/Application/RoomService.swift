import ChatEventBus
import ChatEvents
import ChatStorage
import CommonUtil

/// The use cases of rooms: making, finding, reading and changing them.
struct RoomService: Sendable {
    // The names of the lists in their cursors.
    static let myList = "rooms"
    static let publicList = "public rooms"
    static let publicSearch = "public rooms found"

    let rooms: RoomRepository
    let users: UserRepository
    let guests: GuestRepository
    let readMarks: ReadMarks
    let publisher: EventPublisher
    let receipts: ReadReceiptPublisher
    let authMode: AuthMode

    /// The room that `POST /rooms` describes.
    struct NewRoom: Sendable {
        let roomID: RoomID?
        let name: String
        let type: RoomType
        let memberIDs: [UserID]
    }

    /// Makes a room; of the same pair of users there is one `direct` room.
    /// - Returns: the room, and whether it was made now (201) or before (200).
    /// - Throws: `room_exists`, `not_addable`, `room_full`, `too_many_rooms`, `validation_failed`.
    func make(_ new: NewRoom, by makerID: UserID) async throws -> (room: Room, isNew: Bool) {
        // The installation is never a member: its rooms have the members that it names, and no owner.
        let ownerID = makerID.isInstallation ? nil : makerID
        var memberIDs = ownerID.map { [$0] } ?? []
        for userID in new.memberIDs where !memberIDs.contains(userID) { memberIDs.append(userID) }
        try await requireRegistered(memberIDs)
        guard new.type == .direct else {
            try await requireAddable(memberIDs, by: makerID)
            let roomID = new.roomID ?? .random()
            let made = try await rooms.insert(
                roomID, name: new.name, type: new.type, ownerID: ownerID, memberIDs: memberIDs,
                makerID: ownerID == nil ? makerID : nil)
            guard let made else { throw ChatError(.roomExists) }
            publisher.publish(made.userChanges)
            return (made.room, true)
        }
        guard memberIDs.count == 2 else { throw ChatError.invalid("memberIds", "a direct room has one other member") }
        let pair = DirectPair(memberIDs[0], memberIDs[1])
        if let room = try await rooms.directRoom(pair) {
            return (try await self.room(room.roomID, for: makerID), false)
        }
        try await requireAddable(memberIDs, by: makerID)
        let made = try await rooms.insert(
            new.roomID ?? .random(), name: new.name, type: .direct, ownerID: ownerID, memberIDs: memberIDs,
            makerID: ownerID == nil ? makerID : nil, directPair: pair)
        if let made {
            publisher.publish(made.userChanges)
            return (try await room(made.room.roomID, for: makerID), true)
        }
        // Either the pair's room was made at the same moment, or the id is another room's.
        guard let room = try await rooms.directRoom(pair) else { throw ChatError(.roomExists) }
        return (try await self.room(room.roomID, for: makerID), false)
    }

    private func requireAddable(_ userIDs: [UserID], by actorID: UserID) async throws {
        try await requireNoGuest(userIDs)
        guard let refusing = try await users.firstNotAddable(of: userIDs, by: actorID) else { return }
        throw ChatError(.notAddable, "User \(refusing) does not let you add them to rooms")
    }

    /// Checks that users are registered, which in `trusted` mode they need not be.
    /// - Throws: `validation_failed` for `field`.
    func requireRegistered(_ userIDs: [UserID], field: String = "memberIds") async throws {
        guard authMode == .token else { return }
        let known = try await users.existing(userIDs)
        if let unknown = userIDs.first(where: { !known.contains($0) }) {
            throw ChatError.invalid(field, "there is no user \(unknown)")
        }
    }

    /// Checks that none of these users is a guest: guests make no rooms and are added to none.
    /// - Throws: `guest` (403).
    func requireNoGuest(_ userIDs: [UserID]) async throws {
        guard let guest = try await guests.firstGuest(of: userIDs) else { return }
        throw ChatError(.guest, "User \(guest) is a guest: guests make no rooms, and are added to none")
    }

    /// A room, as a user sees it.
    /// - Throws: `room_not_found` also for a room that is hidden from this user.
    func room(_ roomID: RoomID, for userID: UserID) async throws -> Room {
        try await visible(roomID, for: userID).room
    }

    /// A page of a user's rooms.
    func myRooms(_ userID: UserID, cursor: Cursor?, limit: Int) async throws -> Page<RoomSummary> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let roomID = RoomID(cursor.parts[1]) else { throw ChatError.notFromThisList }
            return (activeAt: try cursor.timestamp(part: 0), roomID: roomID)
        }
        return Page(
            fetched: try await rooms.rooms(of: userID, after: last, limit: limit + 1), limit: limit,
            cursor: { Cursor(of: Self.myList, [String($0.activeAt.microseconds), $0.room.roomID.rawValue]) })
    }

    /// A page of all public rooms.
    func publicRooms(cursor: Cursor?, limit: Int) async throws -> Page<Room> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let roomID = RoomID(cursor.parts[1]) else { throw ChatError.notFromThisList }
            return (name: cursor.parts[0], roomID: roomID)
        }
        return Page(
            fetched: try await rooms.publicRooms(after: last, limit: limit + 1), limit: limit,
            cursor: { Cursor(of: Self.publicList, [$0.name, $0.roomID.rawValue]) })
    }

    /// A page of the public rooms that a search finds.
    func publicRooms(finding text: String, cursor: Cursor?, limit: Int) async throws -> Page<Room> {
        let last = try cursor.map { cursor throws(ChatError) in
            guard let roomID = RoomID(cursor.parts[1]) else { throw ChatError.notFromThisList }
            return (suffix: cursor.parts[0], roomID: roomID)
        }
        return Page(
            fetched: try await rooms.publicRooms(finding: text, after: last, limit: limit + 1), limit: limit,
            item: \.item, cursor: { Cursor(of: Self.publicSearch, [$0.suffix, $0.item.roomID.rawValue]) })
    }

    /// Renames a room; the name that it has changes nothing.
    func rename(_ roomID: RoomID, to name: String, by actorID: UserID) async throws -> Room {
        try await change(roomID, by: actorID) { room, actor in
            try RoomRules.checkRenaming(room.room, by: actor.role)
            if !name.hasSameBytes(as: room.room.name) { try await room.rename(to: name, by: actorID) }
        }
    }

    /// Archives a room; archiving it again changes nothing.
    func archive(_ roomID: RoomID, by actorID: UserID) async throws -> Room {
        let room = try await change(roomID, by: actorID) { room, actor in
            try RoomRules.checkArchiving(room.room, by: actor.role)
            if !room.room.isArchived { try await room.archive(by: actorID) }
        }
        return try await asSeen(room, by: actorID)
    }

    /// A room as a member sees it: a `direct` room has another name for each of its two.
    func asSeen(_ room: Room, by userID: UserID) async throws -> Room {
        room.type == .direct ? try await self.room(room.roomID, for: userID) : room
    }

    /// Marks a room read, and publishes the mark where it has moved.
    /// - Returns: the `seq` up to which the room is read now.
    func markRead(_ roomID: RoomID, by userID: UserID, upTo seq: Seq) async throws -> Seq {
        guard !userID.isInstallation else { throw ChatError.neverAMember }
        let mark = try await readMarks.mark(roomID, by: userID, upTo: seq)
        if mark.hasMoved {
            receipts.note(
                ReadReceipt(roomID: roomID, userID: userID, lastReadSeq: mark.lastReadSeq, version: mark.version))
        }
        return mark.lastReadSeq
    }

    // MARK: Shared with the members' use cases

    /// Reads in a room.
    /// - Throws: `room_not_found` also for a room that is hidden from this reader.
    func read<Item>(
        in roomID: RoomID, _ read: (RoomRepository) async throws -> RoomReading<Item>
    ) async throws -> [Item] {
        try await rooms.read(in: roomID, isOpen: authMode == .trusted) { try await read(rooms) }
    }

    /// A user's access to a room that the user may read.
    /// - Throws: `room_not_found` also for a room that is hidden from this user.
    func visible(_ roomID: RoomID, for userID: UserID) async throws -> RoomAccess {
        let access = try await rooms.withOpenRoom(roomID, isOpen: authMode == .trusted) {
            try await rooms.access(to: roomID, of: userID)
        }
        guard let access, access.isVisible(for: userID) else { throw ChatError(.roomNotFound) }
        return access
    }

    /// Changes a room under its lock on behalf of a member, and publishes the events.
    /// - Throws: `not_a_member`; `room_not_found` also for a room that is hidden from this user.
    @discardableResult
    func change(
        _ roomID: RoomID, by actorID: UserID,
        _ body: @escaping @Sendable (inout LockedRoom, RoomMember) async throws -> Void
    ) async throws -> Room {
        try await changeLocked(roomID) { room in
            guard let actor = try await room.actor(actorID) else {
                throw ChatError(room.room.type == .public ? .notAMember : .roomNotFound)
            }
            try await body(&room, actor)
        }
    }

    /// Changes a room under its lock, and publishes the events.
    /// - Returns: the changed room.
    /// - Throws: `room_not_found`.
    @discardableResult
    func changeLocked(
        _ roomID: RoomID, _ body: @escaping @Sendable (inout LockedRoom) async throws -> Void
    ) async throws -> Room {
        let locked: @Sendable (inout LockedRoom) async throws -> Room = { room in
            try await body(&room)
            return room.room
        }
        let changed = try await rooms.withOpenRoom(roomID, isOpen: authMode == .trusted) {
            try await rooms.withLockedRoom(roomID, locked)
        }
        guard let changed else { throw ChatError(.roomNotFound) }
        publisher.publish(changed.events)
        publisher.publish(changed.userChanges)
        return changed.result
    }
}

extension ChatError {
    /// The error of what only a member does, where a key acts for the installation.
    static let neverAMember = ChatError(.forbidden, "The installation is never a member of a room")
}
