import CommonUtil

/// A message that was stored just now, with its JSON.
///
/// What sockets get and what the poster is answered are the same text but for its beginning, so it is written once. A
/// class, since a message has many parts and is handed from one thread to the next.
public final class PostedMessage: Sendable {
    public let message: Message
    /// The JSON of its ``event``.
    public let eventJSON: [UInt8]

    public init(_ message: Message) {
        self.message = message
        eventJSON = Self.event(message).jsonBytes
    }

    public var event: RoomEvent { Self.event(message) }

    /// The JSON of the message, as REST answers show it.
    public var messageJSON: [UInt8] {
        var json: [UInt8] = []
        json.reserveCapacity(eventJSON.count)
        json.append(UInt8(ascii: "{"))
        json.append(contentsOf: eventJSON[Self.typePrefix.count...])
        return json
    }

    private static func event(_ message: Message) -> RoomEvent {
        RoomEvent(roomID: message.roomID, seq: message.seq, change: .message(message))
    }

    /// `{"eventType":"message",`
    private static let typePrefix: [UInt8] = {
        var writer = JSONWriter()
        writer.object { $0.member(EventKey.eventType, EventType.message.rawValue) }
        return writer.bytes.dropLast() + [UInt8(ascii: ",")]
    }()
}

extension PostedMessage: Equatable {
    public static func == (a: PostedMessage, b: PostedMessage) -> Bool { a.message == b.message }
}
