import CommonUtil

/// The message in which a server says which rooms have something new for the feed of changes:
/// `{"roomIds": ["…"]}`.
///
/// A hint: the message server that appends the feed finds the same by comparing heads, only later. One message stands for
/// all events of some ten milliseconds, so that server does less for each of them than if it read the events themselves.
public struct ChangedRooms: Equatable, Sendable {
    /// Its channel on Redis, which the patterns of ``EventChannel`` do not match.
    public static let channel = "chat:changes"
    /// The number of rooms in one message, at most; about 25 KB.
    public static let maximumCount = 1_000

    private enum Key {
        static let roomIDs = "roomIds"
    }

    public let roomIDs: [RoomID]

    /// - Parameter roomIDs: at most ``maximumCount``.
    public init(_ roomIDs: [RoomID]) { self.roomIDs = roomIDs }

    /// Reads a message.
    /// - Returns: `nil` if it is not of the form that ``write(to:)`` writes.
    public init?(json: [UInt8]) {
        guard case .object(let members)? = try? JSONParser.parse(json, uniqueKeys: true),
            case .array(let elements)? = members[JSONKey(Key.roomIDs)], elements.count <= Self.maximumCount
        else { return nil }
        var roomIDs: [RoomID] = []
        for element in elements {
            guard case .string(let text) = element, let roomID = RoomID(text) else { return nil }
            roomIDs.append(roomID)
        }
        self.roomIDs = roomIDs
    }
}

extension ChangedRooms: JSONEncodable {
    /// Writes the message.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key(Key.roomIDs)
            writer.array(roomIDs) { $0.string($1.rawValue) }
        }
    }
}
