import ChatEvents
import CommonUtil

/// Decides what becomes of the lines of a batch, one after the other, and what is to be written in the end. Pure.
///
/// Each line sees what the lines before it have changed, as if each had a transaction of its own. A line that is refused
/// changes nothing.
struct ImportPlan {
    /// A new event other than a message.
    struct Event: Equatable {
        let roomID: RoomID
        let seq: Seq
        let change: RoomChange
    }

    /// A new message.
    struct NewMessage {
        let message: ImportedMessage
        let seq: Seq
        let senderID: UserID
        let replyTo: ImportState.ReplyTarget?
        let lineHash: [UInt8]
    }

    /// The changes of a user who was there.
    struct UserChange: Equatable {
        var displayName: String?
        var username: String?
        var isDisabled: Bool?
        var createdAt: Timestamp?
    }

    /// A member who joins, or changes.
    struct MemberChange: Equatable {
        /// The `seq` before that of the `member_joined` event; `nil` for one who was there.
        var joinedAfter: Seq?
        var role: MemberRole?
        var mark: Seq?
    }

    /// The last event of a room, which is published for all.
    enum Last: Equatable {
        case event(Int)
        case message(Int)
    }

    /// The rules that depend on the installation.
    struct Rules {
        /// In `trusted` mode any id is a user's.
        let authMode: AuthMode
        let limits: RoomLimits
    }

    private(set) var state: ImportState
    private let rules: Rules

    /// One for each line.
    private(set) var outcomes: [ImportOutcome] = []
    /// In the order of their lines.
    private(set) var newUsers: [ExternalID] = []
    private(set) var changedUsers: [ExternalID: UserChange] = [:]
    private(set) var newRooms: [RoomID] = []
    private(set) var changedRooms: Set<RoomID> = []
    private(set) var renamedRooms: Set<RoomID> = []
    private(set) var members: [ImportState.MemberKey: MemberChange] = [:]
    private(set) var events: [Event] = []
    private(set) var messages: [NewMessage] = []
    /// The last new message of each member in each room.
    private(set) var lastPosts: [ImportState.MemberKey: Seq] = [:]
    /// Members for whom everything is read when the import ends.
    private(set) var readers: Set<ImportState.MemberKey> = []
    private(set) var lastEvents: [RoomID: Last] = [:]
    /// The latest `sentAt` of the new messages of each room.
    private(set) var activity: [RoomID: Timestamp] = [:]

    init(_ lines: [ImportLine], in state: ImportState, _ rules: Rules) {
        self.state = state
        self.rules = rules
        outcomes.reserveCapacity(lines.count)
        for line in lines {
            do throws(ChatError) {
                outcomes.append(try take(line))
            } catch {
                outcomes.append(.refused(error))
            }
        }
    }

    /// Whether there is nothing to write.
    var isEmpty: Bool {
        newUsers.isEmpty && changedUsers.isEmpty && newRooms.isEmpty && changedRooms.isEmpty && members.isEmpty
            && readers.isEmpty
    }

    private mutating func take(_ line: ImportLine) throws(ChatError) -> ImportOutcome {
        switch line {
        case .user(let user): try take(user)
        case .room(let room): try take(room)
        case .member(let member): try take(member)
        case .message(let message): try take(message)
        }
    }

    // MARK: Users

    private mutating func take(_ line: ImportedUser) throws(ChatError) -> ImportOutcome {
        let present = state.users[line.externalID]
        if let username = line.username, let holder = state.holders[username], holder != present?.userID {
            throw ChatError(.usernameTaken)
        }
        guard var user = present else { return try make(line) }
        var change = changedUsers[line.externalID] ?? UserChange()
        var isRenamed = false
        if let name = line.displayName, !name.hasSameBytes(as: user.displayName) {
            user.displayName = name
            change.displayName = name
            isRenamed = true
        }
        if let username = line.username, username != user.username {
            if let former = user.username { state.holders[former] = nil }
            state.holders[username] = user.userID
            user.username = username
            change.username = username
        }
        if let isDisabled = line.isDisabled, isDisabled != user.isDisabled {
            user.isDisabled = isDisabled
            change.isDisabled = isDisabled
        }
        if let createdAt = line.createdAt, createdAt != user.createdAt {
            user.createdAt = createdAt
            change.createdAt = createdAt
        }
        guard isRenamed || user != present else { return .same }
        state.users[line.externalID] = user
        // A user who is made by this batch is written once, as it is in the end.
        if !newUserIDs.contains(user.userID) { changedUsers[line.externalID] = change }
        return .changed
    }

    private var newUserIDs: Set<UserID> = []

    private mutating func make(_ line: ImportedUser) throws(ChatError) -> ImportOutcome {
        // An id was drawn for each unknown external id, so this does not fail.
        guard let userID = state.freeUserIDs.popLast() else { throw ChatError(.internalError) }
        state.users[line.externalID] = ImportState.User(
            userID: userID, displayName: line.displayName ?? line.defaultName, username: line.username,
            isDisabled: line.isDisabled ?? false, createdAt: line.createdAt ?? state.now)
        if let username = line.username { state.holders[username] = userID }
        newUsers.append(line.externalID)
        newUserIDs.insert(userID)
        return .made
    }

    private func find(_ reference: UserReference) throws(ChatError) -> (userID: UserID, isGuest: Bool) {
        switch reference {
        case .external(let externalID):
            guard let user = state.users[externalID] else {
                throw ChatError(.userNotFound, "There is no user ext:\(externalID)")
            }
            return (user.userID, user.isGuest)
        case .id(let userID):
            if let isGuest = state.isGuest[userID] { return (userID, isGuest) }
            guard rules.authMode == .trusted || newUserIDs.contains(userID) else {
                throw ChatError(.userNotFound, "There is no user \(userID)")
            }
            return (userID, false)
        }
    }

    // MARK: Rooms

    private mutating func take(_ line: ImportedRoom) throws(ChatError) -> ImportOutcome {
        guard line.type != .direct else { throw ChatError(.directRoom, "Direct rooms are not imported") }
        guard var room = state.rooms[line.roomID] else {
            state.rooms[line.roomID] = ImportState.Room(
                name: line.name, type: line.type, ownerID: nil, memberCount: 0, lastSeq: 0,
                createdAt: line.createdAt ?? state.now, isArchived: false)
            newRooms.append(line.roomID)
            return .made
        }
        guard room.type == line.type else { throw ChatError(.roomTypeFixed) }
        let isRenamed = !line.name.hasSameBytes(as: room.name)
        if let createdAt = line.createdAt { room.createdAt = createdAt }
        guard isRenamed || room != state.rooms[line.roomID] else { return .same }
        guard !room.isArchived else { throw ChatError(.roomArchived) }
        room.name = line.name
        state.rooms[line.roomID] = room
        changedRooms.insert(line.roomID)
        if isRenamed {
            renamedRooms.insert(line.roomID)
            append(.roomUpdated(name: line.name, by: .installation, at: state.now), to: line.roomID)
        }
        return .changed
    }

    private func room(_ roomID: RoomID) throws(ChatError) -> ImportState.Room {
        guard let room = state.rooms[roomID] else { throw ChatError(.roomNotFound, "There is no room \(roomID)") }
        return room
    }

    /// Takes the next `seq` of a room.
    private mutating func nextSeq(of roomID: RoomID) -> Seq {
        changedRooms.insert(roomID)
        state.rooms[roomID]?.lastSeq += 1
        return state.rooms[roomID]?.lastSeq ?? 0
    }

    private mutating func append(_ change: RoomChange, to roomID: RoomID) {
        lastEvents[roomID] = .event(events.count)
        events.append(Event(roomID: roomID, seq: nextSeq(of: roomID), change: change))
    }

    // MARK: Members

    private mutating func take(_ line: ImportedMember) throws(ChatError) -> ImportOutcome {
        let room = try room(line.roomID)
        let (userID, isGuest) = try find(line.user)
        if case .upTo(let seq) = line.read, seq > room.lastSeq {
            throw .invalid("lastReadSeq", "must not be beyond the room's last seq, which is \(room.lastSeq)")
        }
        let key = ImportState.MemberKey(roomID: line.roomID, userID: userID)
        let present = state.members[key]
        let role = line.role ?? present?.role ?? .member
        if role != present?.role {
            guard room.type != .direct else { throw ChatError(.directRoom) }
            guard !isGuest else { throw ChatError(.guest) }
            guard !room.isArchived else { throw ChatError(.roomArchived) }
            if role == .owner, room.ownerID != nil { throw ChatError(.ownerRole, "The room has another owner") }
            if present == nil { try rules.limits.checkMembers(room.memberCount + 1) }
        }
        var outcome = present == nil ? ImportOutcome.made : .same
        var change = members[key] ?? MemberChange()
        if present == nil {
            change = MemberChange(joinedAfter: room.lastSeq, role: role)
            state.rooms[line.roomID]?.memberCount += 1
            state.members[key] = ImportState.Member(role: role, mark: 0)
            append(.memberJoined(userID, role: role, by: .installation, at: state.now), to: line.roomID)
        } else if role != present?.role {
            outcome = .changed
            change.role = role
            state.members[key]?.role = role
            append(.memberRoleChanged(userID, role: role, by: .installation, at: state.now), to: line.roomID)
        }
        if role == .owner {
            state.rooms[line.roomID]?.ownerID = userID
        } else if room.ownerID == userID {
            state.rooms[line.roomID]?.ownerID = nil
        }
        let mark = state.members[key]?.mark ?? 0
        switch line.read {
        case .upTo(let seq) where seq > mark:
            change.mark = seq
            state.members[key]?.mark = seq
            if outcome == .same { outcome = .changed }
        case .all:
            readers.insert(key)
            if outcome == .same, mark < room.lastSeq { outcome = .changed }
        case .upTo, nil: break
        }
        if change != MemberChange() { members[key] = change }
        return outcome
    }

    // MARK: Messages

    private mutating func take(_ line: ImportedMessage) throws(ChatError) -> ImportOutcome {
        let key = ImportState.MessageKey(line.roomID, line.importID)
        let lineHash = line.lineHash
        // An id is looked at before anything else: what was imported once stays the same, whatever has become of the room.
        if let before = state.messages[key] {
            guard before.lineHash == lineHash else { throw ChatError(.importIdReused) }
            return .same
        }
        let room = try room(line.roomID)
        guard !room.isArchived else { throw ChatError(.roomArchived) }
        let senderID = line.sender == .id(.installation) ? .installation : try find(line.sender).userID
        let replyTo = try line.replyToImportID.map { importID throws(ChatError) in
            guard let target = state.messages[.init(line.roomID, importID)], !target.isDeleted else {
                throw .invalid(
                    "replyToImportId", "must name an imported message of this room that is not deleted")
            }
            return target.target
        }
        state.messages[key] = ImportState.ImportedBefore(target: .new(messages.count), lineHash: lineHash)
        lastEvents[line.roomID] = .message(messages.count)
        let seq = nextSeq(of: line.roomID)
        messages.append(
            NewMessage(message: line, seq: seq, senderID: senderID, replyTo: replyTo, lineHash: lineHash))
        activity[line.roomID] = max(activity[line.roomID] ?? line.sentAt, line.sentAt)
        let member = ImportState.MemberKey(roomID: line.roomID, userID: senderID)
        if state.members[member] != nil {
            // A member has read what the member posts.
            state.members[member]?.mark = seq
            lastPosts[member] = seq
        }
        return .made
    }
}
