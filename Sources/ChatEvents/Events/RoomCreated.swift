import CommonUtil

/// The event `room_created` of the feed of changes, before the first event of its room. It is in no room's log and has no
/// `seq`.
///
/// A room of its own is described as the feed found it: shortly after it was made, or, for a room that is older than the
/// feed, with what had become of it by then. The events that follow lead from the empty room to its present state; who
/// applies them as they come, in the end has what the room is.
public struct RoomCreated: Equatable, Sendable {
    /// Members in the event. A room can have many more; all of them are listed by `GET /rooms/{id}/members`.
    public static let maximumMembers = 1_000

    /// A member of the room.
    public struct Member: Equatable, Sendable {
        public let userID: UserID
        public let role: MemberRole

        /// Describes a member.
        public init(userID: UserID, role: MemberRole) {
            self.userID = userID
            self.role = role
        }
    }

    public let roomID: RoomID
    public let name: String
    /// The `type` of the room, as in REST.
    public let type: String
    /// All members of the room, also those beyond ``maximumMembers``.
    public let memberCount: Int
    /// The first members by user id, at most ``maximumMembers``.
    public let members: [Member]
    /// The owner; `nil` if nobody owns the room, which is written as 0.
    public let actorID: UserID?
    /// When the room was made.
    public let at: Timestamp

    /// Describes a room.
    public init(
        roomID: RoomID, name: String, type: String, memberCount: Int, members: [Member], actorID: UserID?, at: Timestamp
    ) {
        self.roomID = roomID
        self.name = name
        self.type = type
        self.memberCount = memberCount
        self.members = members
        self.actorID = actorID
        self.at = at
    }
}

extension RoomCreated: JSONEncodable {
    /// Writes the contract's event.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.eventType, EventType.roomCreated.rawValue)
            writer.member(EventKey.roomID, roomID.rawValue)
            writer.member(EventKey.name, name)
            writer.member(EventKey.type, type)
            writer.member(EventKey.memberCount, Int64(memberCount))
            writer.key(EventKey.members)
            writer.array(members) { writer, member in
                writer.object { writer in
                    writer.member(EventKey.userID, member.userID.rawValue)
                    writer.member(EventKey.role, member.role.rawValue)
                }
            }
            writer.member(EventKey.actorID, actorID?.rawValue ?? 0)
            writer.member(EventKey.at, at)
        }
    }
}

/// An event of the feed of changes.
public enum Change: Equatable, Sendable {
    case roomCreated(RoomCreated)
    case event(RoomEvent)

    /// The room that it is of.
    public var roomID: RoomID {
        switch self {
        case .roomCreated(let room): room.roomID
        case .event(let event): event.roomID
        }
    }

    /// Its place in its room: the `seq`, and 0 for the creation.
    public var seq: Seq {
        switch self {
        case .roomCreated: 0
        case .event(let event): event.seq
        }
    }

    /// The `eventType`.
    public var type: EventType {
        switch self {
        case .roomCreated: .roomCreated
        case .event(let event): event.change.type
        }
    }

    /// The types of events that the feed has.
    public static let types: [EventType] = [
        .message, .messageEdited, .messageDeleted, .memberJoined, .memberLeft, .memberRoleChanged, .roomUpdated,
        .roomArchived, .roomCreated,
    ]
}

extension Change: JSONEncodable {
    /// Writes the contract's event.
    public func write(to writer: inout JSONWriter) {
        switch self {
        case .roomCreated(let room): room.write(to: &writer)
        case .event(let event): event.write(to: &writer)
        }
    }
}
