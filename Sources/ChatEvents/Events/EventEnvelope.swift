import CommonUtil
import Glibc

/// The members of an event's JSON that delivery needs, read without decoding the rest.
///
/// An event passes through a WebSocket server as the bytes that were published. One pass checks that they are one JSON
/// object in valid UTF-8, and reads these members at its top level.
public struct EventEnvelope: Equatable, Sendable {
    /// Size limit of an event without a `seq`, in bytes.
    public static let maximumSize = 65_536
    /// Size limit of an event with a `seq`, in bytes: a message's content is at most 64 KiB, in which escaping doubles
    /// each quote and backslash; the rest of an event is short.
    static let maximumLoggedSize = 2 * 65_536 + 4_096

    /// Its position in the room's log; `nil` for an event without one.
    public let seq: Seq?
    /// The event's mark; `nil` for none, and for a text that is none.
    public let mark: EventMark?
    /// `nil` for none or an unknown type; such an event is passed on as it is.
    public let type: EventType?
    /// The room; not checked to be the id of one.
    public let roomID: String?
    /// The user that it is about: who joined or left, whose role changed, who reads or types.
    public let userID: UserID?
    /// Who made a change.
    public let actorID: UserID?
    /// The message that was posted, edited or deleted.
    public let messageID: MessageID?
    /// When the message was stored.
    public let sentAt: Timestamp?
    /// The `typing` of an event of that type.
    public let isTyping: Bool?

    /// Reads an event.
    /// - Returns: `nil` if the bytes are no JSON object, not UTF-8 or too large, and where `seq` is present and not
    ///   a positive integer in plain digits: it claims a position in a log that does not exist.
    public init?(_ json: UnsafeRawBufferPointer) {
        guard json.count <= Self.maximumLoggedSize, Self.isUTF8(json) else { return nil }
        var scanner = JSONScanner(json)
        var seq: Seq?
        var mark: EventMark?
        var type: EventType?
        var roomID: String?
        var userID: UserID?
        var actorID: UserID?
        var messageID: MessageID?
        var sentAt: Timestamp?
        var isTyping: Bool?
        var isSeqValid = true
        let isObject = scanner.object { key, value in
            switch key.count {
            case EventKey.seq.utf8.count where Self.isSame(key, EventKey.seq):
                seq = Self.integer(value)
                isSeqValid = isSeqValid && seq != nil
            case EventKey.mark.utf8.count where Self.isSame(key, EventKey.mark):
                mark = Self.mark(value)
            case EventKey.userID.utf8.count where Self.isSame(key, EventKey.userID):
                userID = Self.integer(value).map(UserID.init(_:))
            case EventKey.actorID.utf8.count where Self.isSame(key, EventKey.actorID):
                actorID = Self.integer(value).map(UserID.init(_:))
            case EventKey.typing.utf8.count where Self.isSame(key, EventKey.typing):
                isTyping = value.elementsEqual("true".utf8)
            case EventKey.roomID.utf8.count where Self.isSame(key, EventKey.roomID):
                roomID = Self.text(value)
            case EventKey.messageID.utf8.count where Self.isSame(key, EventKey.messageID):
                messageID = Self.integer(value).map(MessageID.init(_:))
            case EventKey.eventType.utf8.count where Self.isSame(key, EventKey.eventType):
                type = EventType(rawValue: Self.text(value))
            case EventKey.sentAt.utf8.count where Self.isSame(key, EventKey.sentAt):
                sentAt = Timestamp(text: Self.text(value))
            default:
                break
            }
        }
        guard isObject, isSeqValid, scanner.isAtEnd, seq != nil || json.count <= Self.maximumSize else { return nil }
        self.seq = seq
        self.mark = mark
        self.type = type
        self.roomID = roomID
        self.userID = userID
        self.actorID = actorID
        self.messageID = messageID
        self.sentAt = sentAt
        self.isTyping = isTyping
    }

    /// Reads an event from an array.
    public init?(_ json: [UInt8]) {
        guard let envelope = json.withUnsafeBytes({ EventEnvelope($0) }) else { return nil }
        self = envelope
    }

    /// The text between a string's quotes; the values read here need no escapes.
    private static func text(_ value: Slice<UnsafeRawBufferPointer>) -> String {
        String(decoding: value.dropFirst().dropLast(), as: UTF8.self)
    }

    private static func mark(_ value: Slice<UnsafeRawBufferPointer>) -> EventMark? {
        guard value.first == UInt8(ascii: "\"") else { return nil }
        return EventMark(utf8: UnsafeRawBufferPointer(rebasing: value.dropFirst().dropLast()))
    }

    /// A positive integer in plain digits.
    private static func integer(_ text: Slice<UnsafeRawBufferPointer>) -> Int64? {
        var number: Int64 = 0
        for byte in UnsafeRawBufferPointer(rebasing: text) {
            guard case UInt8(ascii: "0")...UInt8(ascii: "9") = byte else { return nil }
            let (shifted, overflows) = number.multipliedReportingOverflow(by: 10)
            let (sum, exceeds) = shifted.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
            guard !overflows, !exceeds else { return nil }
            number = sum
        }
        return number > 0 ? number : nil
    }

    /// Whether a key is this name. Compared as bytes in memory: comparing collections element by element was a third of
    /// reading an event.
    private static func isSame(_ key: Slice<UnsafeRawBufferPointer>, _ name: String) -> Bool {
        var name = name
        return name.withUTF8 { name in
            let key = UnsafeRawBufferPointer(rebasing: key)
            guard key.count == name.count, let one = key.baseAddress, let other = name.baseAddress else { return false }
            return memcmp(one, other, name.count) == 0
        }
    }

    private static func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
        (try? UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)) != nil
    }
}
