import CommonUtil

/// One entry of a room's log. Its JSON is what Redis carries, sockets get and `GET /rooms/{id}/events` lists.
public struct RoomEvent: Equatable, Sendable {
    public let roomID: RoomID
    public let seq: Seq
    public let change: RoomChange

    public init(roomID: RoomID, seq: Seq, change: RoomChange) {
        self.roomID = roomID
        self.seq = seq
        self.change = change
    }
}

/// What an event tells.
public enum RoomChange: Equatable, Sendable {
    case message(Message)
    case messageEdited(Message)
    case messageDeleted(Message)
    case memberJoined(UserID, role: MemberRole, by: UserID, at: Timestamp)
    case memberLeft(UserID, by: UserID, at: Timestamp)
    case memberRoleChanged(UserID, role: MemberRole, by: UserID, at: Timestamp)
    case roomUpdated(name: String, by: UserID, at: Timestamp)
    case roomArchived(name: String, by: UserID, at: Timestamp)

    public var type: EventType {
        switch self {
        case .message: .message
        case .messageEdited: .messageEdited
        case .messageDeleted: .messageDeleted
        case .memberJoined: .memberJoined
        case .memberLeft: .memberLeft
        case .memberRoleChanged: .memberRoleChanged
        case .roomUpdated: .roomUpdated
        case .roomArchived: .roomArchived
        }
    }
}

extension RoomEvent: JSONEncodable {
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.eventType, change.type.rawValue)
            switch change {
            case .message(let message), .messageEdited(let message), .messageDeleted(let message):
                message.writeMembers(to: &writer, seq: seq)
            case .memberJoined(let userID, let role, let actorID, let at),
                .memberRoleChanged(let userID, let role, let actorID, let at):
                writePlace(to: &writer)
                writer.member(EventKey.userID, userID.rawValue)
                writer.member(EventKey.role, role.rawValue)
                writeActor(actorID, at, to: &writer)
            case .memberLeft(let userID, let actorID, let at):
                writePlace(to: &writer)
                writer.member(EventKey.userID, userID.rawValue)
                writeActor(actorID, at, to: &writer)
            case .roomUpdated(let name, let actorID, let at), .roomArchived(let name, let actorID, let at):
                writePlace(to: &writer)
                writer.member(EventKey.name, name)
                writeActor(actorID, at, to: &writer)
            }
        }
    }

    private func writePlace(to writer: inout JSONWriter) {
        writer.member(EventKey.seq, seq)
        writer.member(EventKey.roomID, roomID.rawValue)
    }

    private func writeActor(_ actorID: UserID, _ at: Timestamp, to writer: inout JSONWriter) {
        writer.member(EventKey.actorID, actorID.rawValue)
        writer.member(EventKey.at, at)
    }
}
