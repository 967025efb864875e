import CommonUtil

/// The little that delivery needs to know of an event's JSON, found without decoding the rest.
///
/// An event passes through a WebSocket server as the bytes that were published. This one pass checks that they are
/// one JSON object in valid UTF-8, and picks up the few members named here where they stand at its top level.
public struct EventEnvelope: Equatable, Sendable {
    /// Largest event without a place in a log that is passed on, in bytes.
    public static let maximumSize = 65_536
    /// Largest event of a log: a message's content is at most 64 KiB, of which escaping within the event doubles each
    /// quote and backslash; the rest of an event is short.
    static let maximumLoggedSize = 2 * 65_536 + 4_096

    /// Its place in the room's log; `nil` for an event that has none.
    public let seq: Seq?
    /// `nil` for none or for a type that is not ours; such an event is passed on as it is.
    public let type: EventType?
    public let roomID: String?
    public let userID: UserID?
    public let messageID: MessageID?
    public let sentAt: Timestamp?
    /// Of an event that says whether somebody types.
    public let isTyping: Bool?

    /// - Returns: `nil` where the bytes are no JSON object, no UTF-8, or larger than such an event can be, and where `seq`
    ///   is anything but a positive integer, written as one: it claims a place in a log that does not exist.
    public init?(_ json: UnsafeRawBufferPointer) {
        guard json.count <= Self.maximumLoggedSize, Self.isUTF8(json) else { return nil }
        var scanner = JSONScanner(json)
        var seq: Seq?
        var type: EventType?
        var roomID: String?
        var userID: UserID?
        var messageID: MessageID?
        var sentAt: Timestamp?
        var isTyping: Bool?
        var hasPlace = true
        let isObject = scanner.object { key, value in
            switch key.count {
            case EventKey.seq.utf8.count where key.elementsEqual(EventKey.seq.utf8):
                seq = Self.integer(value)
                hasPlace = hasPlace && seq != nil
            case EventKey.userID.utf8.count where key.elementsEqual(EventKey.userID.utf8):
                userID = Self.integer(value).map(UserID.init(_:))
            case EventKey.typing.utf8.count where key.elementsEqual(EventKey.typing.utf8):
                isTyping = value.elementsEqual("true".utf8)
            case EventKey.roomID.utf8.count where key.elementsEqual(EventKey.roomID.utf8):
                roomID = Self.text(value)
            case EventKey.messageID.utf8.count where key.elementsEqual(EventKey.messageID.utf8):
                messageID = Self.integer(value).map(MessageID.init(_:))
            case EventKey.eventType.utf8.count where key.elementsEqual(EventKey.eventType.utf8):
                type = EventType(rawValue: Self.text(value))
            case EventKey.sentAt.utf8.count where key.elementsEqual(EventKey.sentAt.utf8):
                sentAt = Timestamp(text: Self.text(value))
            default:
                break
            }
        }
        guard isObject, hasPlace, scanner.isAtEnd, seq != nil || json.count <= Self.maximumSize else { return nil }
        self.seq = seq
        self.type = type
        self.roomID = roomID
        self.userID = userID
        self.messageID = messageID
        self.sentAt = sentAt
        self.isTyping = isTyping
    }

    public init?(_ json: [UInt8]) {
        guard let envelope = json.withUnsafeBytes({ EventEnvelope($0) }) else { return nil }
        self = envelope
    }

    /// What stands between a string's quotes; the words that matter here need no escapes.
    private static func text(_ value: Slice<UnsafeRawBufferPointer>) -> String {
        String(decoding: value.dropFirst().dropLast(), as: UTF8.self)
    }

    private static func integer(_ text: Slice<UnsafeRawBufferPointer>) -> Int64? {
        Int64(String(decoding: text, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
    }

    private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        (try? UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)) != nil
    }
}
