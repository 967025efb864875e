import ChatEvents
import CommonUtil

public enum RoomType: String, CaseIterable, Sendable {
    /// Two members for good; one such room for each pair.
    case direct
    case group
    /// Anyone signed in may find, read and join it.
    case `public`
    case `private`
}

/// A room as the contract shows it.
public struct Room: Equatable, Sendable {
    public let roomID: RoomID
    public let name: String
    public let type: RoomType
    public let ownerID: UserID?
    public let memberCount: Int
    /// The head of its log.
    public let lastSeq: Seq
    public let createdAt: Timestamp
    public let archivedAt: Timestamp?

    public var isArchived: Bool { archivedAt != nil }
}

extension Room: JSONEncodable {
    public func write(to writer: inout JSONWriter) {
        writer.object { writeMembers(to: &$0) }
    }

    func writeMembers(to writer: inout JSONWriter) {
        writer.member("roomId", roomID.rawValue)
        writer.member("name", name)
        writer.member("type", type.rawValue)
        writer.member("ownerId", ifPresent: ownerID?.rawValue)
        writer.member("memberCount", Int64(memberCount))
        writer.member("lastSeq", lastSeq)
        writer.member("createdAt", createdAt)
        writer.member("archivedAt", ifPresent: archivedAt)
    }
}

/// A user's place in a room.
public struct RoomMember: Equatable, Sendable, JSONEncodable {
    public let userID: UserID
    public let role: MemberRole
    public let lastReadSeq: Seq
    public let joinedAt: Timestamp

    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("userId", userID.rawValue)
            writer.member("role", role.rawValue)
            writer.member("lastReadSeq", lastReadSeq)
            writer.member("joinedAt", joinedAt)
        }
    }
}

/// A room in the list of one's own: with what is new in it.
public struct RoomSummary: Equatable, Sendable, JSONEncodable {
    public let room: Room
    public let lastMessage: Message?
    public let lastReadSeq: Seq
    /// Messages of others after `lastReadSeq`, deleted ones not counted; 1,000 stands for more than 999.
    public let unreadCount: Int
    /// What the list is sorted by.
    public let activeAt: Timestamp

    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            room.writeMembers(to: &writer)
            if let lastMessage { writer.member("lastMessage", lastMessage) }
            writer.member("lastReadSeq", lastReadSeq)
            writer.member("unreadCount", Int64(unreadCount))
        }
    }
}

/// What a user may know of a room: the answer to "may this user come in?", in one round trip.
public struct RoomAccess: Equatable, Sendable {
    public let room: Room
    /// The user's place in it, if any.
    public let role: MemberRole?

    /// A room that is not public does not exist for strangers.
    public var isVisible: Bool { role != nil || room.type == .public }
}
