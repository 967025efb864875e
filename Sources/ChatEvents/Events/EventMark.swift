import CommonUtil

/// The mark of an event, which distinguishes two logs: the same event has the same mark wherever it is read, and
/// different events have different ones, also at the same `seq` of the same room.
///
/// PostgreSQL can come back with another log, from a backup or a replica that lacked the last commits. A reader that
/// has event N with the same mark has the same log up to N (as Raft's log matching).
///
/// A mark is 64 bits, computed from what the event's row holds for good. It is stored nowhere, and an edit or deletion of a
/// message does not change the mark of any event about it.
public struct EventMark: Hashable, Sendable, CustomStringConvertible {
    /// The requirement on the text of a mark, for error messages.
    public static let rule = "6–16 of A–Z a–z 0–9 - _"

    private static let length = 6...16

    private let bits: UInt64

    /// Computes the mark of an event.
    ///
    /// This must never change: clients keep marks, and servers of two releases run side by side.
    /// - Parameters:
    ///   - subjectID: the message or the user that the event is about; `nil` for an event about the room.
    ///   - actorID: the sender of a new message; else the user who made the change.
    ///   - time: `sentAt` of a new message; else the time of the change.
    ///   - clientMessageID: the idempotency key of a new message.
    public init(
        of type: EventType, in roomID: RoomID, seq: Seq, about subjectID: Int64?, by actorID: UserID,
        at time: Timestamp, clientMessageID: String? = nil
    ) {
        var hash = SipHash()
        hash.combine(seq)
        hash.combine(subjectID ?? 0)
        hash.combine(actorID.rawValue)
        hash.combine(time.microseconds)
        hash.combine(type.rawValue)
        hash.combine(roomID.rawValue)
        hash.combine(clientMessageID ?? "")
        bits = hash.finalized()
    }

    /// Reads a mark. One that is well-formed and not of this form is another log's: it is equal to no event's mark.
    /// - Returns: `nil` for a text that does not meet ``rule``.
    public init?(_ text: String) {
        var text = text
        guard let mark = text.withUTF8({ EventMark(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = mark
    }

    /// Reads a mark from the bytes of its text.
    init?(utf8 text: UnsafeRawBufferPointer) {
        if let bits = Base64URL.decodeBits(text) {
            self.bits = bits
            return
        }
        guard Self.length.contains(text.count), text.allSatisfy(Base64URL.isCharacter) else { return nil }
        var hash = SipHash()
        hash.combine(text)
        bits = hash.finalized()
    }

    /// The text: 11 characters of URL-safe base64.
    public var description: String { Base64URL.encode(bits: bits) }
}

extension EventMark {
    /// Computes the mark of the event that reports a change.
    init(of change: RoomChange, in roomID: RoomID, seq: Seq) {
        let (subjectID, by, time): (Int64?, UserID, Timestamp)
        switch change {
        case .message(let message):
            self = message.mark
            return
        case .messageEdited(let message, let actorID, let at), .messageDeleted(let message, let actorID, let at):
            (subjectID, by, time) = (message.messageID.rawValue, actorID, at)
        case .memberJoined(let userID, _, let actorID, let at), .memberLeft(let userID, let actorID, let at),
            .memberRoleChanged(let userID, _, let actorID, let at):
            (subjectID, by, time) = (userID.rawValue, actorID, at)
        case .roomUpdated(_, let actorID, let at), .roomArchived(_, let actorID, let at):
            (subjectID, by, time) = (nil, actorID, at)
        }
        self.init(of: change.type, in: roomID, seq: seq, about: subjectID, by: by, at: time)
    }
}

extension Message {
    /// The mark of the message's first event.
    public var mark: EventMark {
        EventMark(
            of: .message, in: roomID, seq: seq, about: messageID.rawValue, by: senderID, at: sentAt,
            clientMessageID: clientMessageID)
    }
}

extension JSONWriter {
    /// Writes the member `mark`, or nothing for `nil`.
    public mutating func member(mark: EventMark?) {
        if let mark { member(EventKey.mark, mark.description) }
    }
}
