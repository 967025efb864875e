import CommonUtil

/// A change of a user's list of rooms, from the server that stored it to the WebSocket servers, on the user's channel:
/// `{"eventType": "user_state", "userId", "version", "roomId", "change": "room_added" | "read", "seq"}`.
///
/// A hint: a server that misses it finds by the user's version that something changed. No socket gets it. Removals are
/// not published here, since the room's log has them.
public struct UserChange: Equatable, Sendable {
    /// What changed.
    public enum Kind: String, CaseIterable, Sendable {
        /// The user has become a member of the room.
        case roomAdded = "room_added"
        /// The user has read the room further.
        case read
    }

    /// The user whose list it is.
    public let userID: UserID
    /// The user's version with this change, and with all that have a lower one.
    public let version: Int64
    /// The room that the change is about.
    public let roomID: RoomID
    /// What has changed for the user.
    public let kind: Kind
    /// Of ``Kind/roomAdded`` that of the `member_joined` event, 0 for the first members of a new room; of
    /// ``Kind/read`` the new read mark.
    public let seq: Seq

    /// Describes a change.
    public init(userID: UserID, version: Int64, roomID: RoomID, kind: Kind, seq: Seq) {
        self.userID = userID
        self.version = version
        self.roomID = roomID
        self.kind = kind
        self.seq = seq
    }

    /// Reads a change as it was published.
    /// - Returns: `nil` if it is not of the form that ``write(to:)`` writes.
    public init?(json: [UInt8]) {
        guard case .object(let members)? = try? JSONParser.parse(json, uniqueKeys: true) else { return nil }
        func text(_ key: String) -> String? {
            if case .string(let text)? = members[JSONKey(key)] { text } else { nil }
        }
        func number(_ key: String) -> String? {
            if case .number(let text)? = members[JSONKey(key)] { text } else { nil }
        }
        guard text(EventKey.eventType) == EventType.userState.rawValue,
            let userID = number(EventKey.userID).flatMap({ UserID(text: $0) }),
            let version = number(EventKey.version).flatMap({ Int64($0) }), version > 0,
            let roomID = text(EventKey.roomID).flatMap({ RoomID($0) }),
            let kind = text(EventKey.change).flatMap(Kind.init(rawValue:)),
            let seq = number(EventKey.seq).flatMap({ Seq($0) }), seq >= 0
        else { return nil }
        self.init(userID: userID, version: version, roomID: roomID, kind: kind, seq: seq)
    }
}

extension UserChange: JSONEncodable {
    /// Writes the change.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member(EventKey.eventType, EventType.userState.rawValue)
            writer.member(EventKey.userID, userID.rawValue)
            writer.member(EventKey.version, version)
            writer.member(EventKey.roomID, roomID.rawValue)
            writer.member(EventKey.change, kind.rawValue)
            writer.member(EventKey.seq, seq)
        }
    }
}
