import CommonUtil

/// One event of a room's log. Its JSON is published on Redis, sent to sockets and listed by `GET /rooms/{id}/events`.
public struct RoomEvent: Equatable, Sendable {
    public let roomID: RoomID
    /// Its position in the log.
    public let seq: Seq
    /// What happened.
    public let change: RoomChange
    /// The event's mark, which follows from the rest. Computed once: it is in the JSON, and delivery compares it.
    public let mark: EventMark

    /// Describes an event.
    public init(roomID: RoomID, seq: Seq, change: RoomChange) {
        self.roomID = roomID
        self.seq = seq
        self.change = change
        mark = EventMark(of: change, in: roomID, seq: seq)
    }
}

/// The change that an event reports.
public enum RoomChange: Equatable, Sendable {
    case message(Message)
    case messageEdited(Message, by: UserID, at: Timestamp)
    case messageDeleted(Message, by: UserID, at: Timestamp)
    case memberJoined(UserID, role: MemberRole, by: UserID, at: Timestamp)
    case memberLeft(UserID, by: UserID, at: Timestamp)
    case memberRoleChanged(UserID, role: MemberRole, by: UserID, at: Timestamp)
    case roomUpdated(name: String, by: UserID, at: Timestamp)
    case roomArchived(name: String, by: UserID, at: Timestamp)

    /// The `eventType` of the event.
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

    /// The message that the event is about, with its present content; `nil` for other events.
    public var message: Message? {
        switch self {
        case .message(let message), .messageEdited(let message, _, _), .messageDeleted(let message, _, _): message
        default: nil
        }
    }
}

extension RoomEvent: JSONEncodable {
    /// Writes the contract's event.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.eventType, change.type.rawValue)
            switch change {
            case .message(let message), .messageEdited(let message, _, _), .messageDeleted(let message, _, _):
                message.writeMembers(to: &writer, seq: seq, mark: mark)
            case .memberJoined(let userID, let role, let actorID, let at),
                .memberRoleChanged(let userID, let role, let actorID, let at):
                writePosition(to: &writer)
                writer.member(EventKey.userID, userID.rawValue)
                writer.member(EventKey.role, role.rawValue)
                writeActor(actorID, at, to: &writer)
            case .memberLeft(let userID, let actorID, let at):
                writePosition(to: &writer)
                writer.member(EventKey.userID, userID.rawValue)
                writeActor(actorID, at, to: &writer)
            case .roomUpdated(let name, let actorID, let at), .roomArchived(let name, let actorID, let at):
                writePosition(to: &writer)
                writer.member(EventKey.name, name)
                writeActor(actorID, at, to: &writer)
            }
        }
    }

    private func writePosition(to writer: inout JSONWriter) {
        writer.member(EventKey.seq, seq)
        writer.member(mark: mark)
        writer.member(EventKey.roomID, roomID.rawValue)
    }

    private func writeActor(_ actorID: UserID, _ at: Timestamp, to writer: inout JSONWriter) {
        writer.member(EventKey.actorID, actorID.rawValue)
        writer.member(EventKey.at, at)
    }
}

/// An event that is sent to live sessions and not stored: it has no `seq`.
public enum EphemeralEvent: Equatable, Sendable {
    case read(RoomID, UserID, lastReadSeq: Seq, at: Timestamp)
    case typing(RoomID, UserID, isTyping: Bool)

    /// The room that it belongs to.
    public var roomID: RoomID {
        switch self {
        case .read(let roomID, _, _, _), .typing(let roomID, _, _): roomID
        }
    }
}

extension EphemeralEvent: JSONEncodable {
    /// Writes the contract's event.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            switch self {
            case .read(let roomID, let userID, let lastReadSeq, let at):
                writer.member(EventKey.eventType, EventType.read.rawValue)
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.userID, userID.rawValue)
                writer.member(EventKey.lastReadSeq, lastReadSeq)
                writer.member(EventKey.at, at)
            case .typing(let roomID, let userID, let isTyping):
                writer.member(EventKey.eventType, EventType.typing.rawValue)
                writer.member(EventKey.roomID, roomID.rawValue)
                writer.member(EventKey.userID, userID.rawValue)
                writer.member(EventKey.typing, isTyping)
            }
        }
    }
}
