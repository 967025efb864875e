import ChatEvents
import ChatStorage
import CommonUtil

/// Reads the lines of an import: a JSON object with one member, which says what the line describes. Pure.
struct ImportLineReader {
    /// What a line describes.
    private enum Kind: String, CaseIterable {
        case user, room, member, message

        /// What a key needs for such a line.
        var scope: KeyScope {
            switch self {
            case .user: .users
            case .room, .member: .rooms
            case .message: .messages
            }
        }
    }

    /// The scopes of which a key needs one to import at all.
    static let scopes: [KeyScope] = [.users, .rooms, .messages]
    /// Maximum size of a line, in bytes.
    static let maximumBytes = 128 * 1_024
    /// Length of an `importId`, in Unicode scalars.
    static let importIDLength = 1...64

    /// The scopes of the key.
    let scopes: Set<KeyScope>

    /// Validates a line.
    /// - Parameter now: nothing was sent or made later.
    /// - Throws: `malformed_json`, `validation_failed`, which names each invalid field, `scope`.
    func read(_ bytes: [UInt8], now: Timestamp) throws(ChatError) -> ImportLine {
        let fields = try FieldReader(body: bytes, subject: "line")
        try fields.finish()
        let kinds = Kind.allCases.filter { fields.optionalValue($0.rawValue) != nil }
        guard let kind = kinds.first, kinds.count == 1 else {
            throw .invalid("line", "must have one of " + Kind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard scopes.contains(kind.scope) else {
            throw ChatError(.scope, "The key does not have the scope \(kind.scope.rawValue)")
        }
        var line = fields
        guard let members = line.object(kind.rawValue) else { throw ChatError(invalid: line.errors) }
        let content = FieldReader(members, path: kind.rawValue + ".")
        switch kind {
        case .user: return .user(try Self.user(content, now))
        case .room: return .room(try Self.room(content, now))
        case .member: return .member(try Self.member(content))
        case .message: return .message(try Self.message(content, now))
        }
    }

    private static func user(_ content: FieldReader, _ now: Timestamp) throws(ChatError) -> ImportedUser {
        var fields = content
        let text = fields.string("externalId", length: ExternalID.length)
        let displayName = fields.optionalString("displayName", length: AccountRules.displayNameLength)
        let username = AccountRules.optionalUsername(&fields)
        let isDisabled = fields.optionalBool("disabled")
        let createdAt = fields.optionalPastTime("createdAt", now)
        try fields.finish()
        guard let externalID = text.flatMap({ ExternalID($0) }) else { throw fields.incomplete }
        return ImportedUser(
            externalID: externalID, displayName: displayName, defaultName: AccountRules.displayName(of: externalID),
            username: username, isDisabled: isDisabled, createdAt: createdAt)
    }

    private static func room(_ content: FieldReader, _ now: Timestamp) throws(ChatError) -> ImportedRoom {
        var fields = content
        let roomID = fields.roomID(EventKey.roomID)
        let name = fields.string(EventKey.name, length: RoomRules.nameLength)
        let type = fields.choice("type", RoomType.self)
        let createdAt = fields.optionalPastTime("createdAt", now)
        try fields.finish()
        guard let roomID, let name, let type else { throw fields.incomplete }
        return ImportedRoom(roomID: roomID, name: name, type: type, createdAt: createdAt)
    }

    private static func member(_ content: FieldReader) throws(ChatError) -> ImportedMember {
        var fields = content
        let roomID = fields.roomID(EventKey.roomID)
        let user = fields.user(EventKey.userID, external: true)
        let role = fields.optionalChoice(EventKey.role, MemberRole.self)
        let seq = fields.optionalInteger(EventKey.lastReadSeq, in: 0...Seq.max)
        let readsAll = fields.optionalBool("readAll") ?? false
        if readsAll, fields.optionalValue(EventKey.lastReadSeq) != nil {
            fields.note("readAll", "must not be true where there is a lastReadSeq")
        }
        try fields.finish()
        guard let roomID, let user else { throw fields.incomplete }
        return ImportedMember(
            roomID: roomID, user: user, role: role, read: readsAll ? .all : seq.map { .upTo($0) })
    }

    private static func message(_ content: FieldReader, _ now: Timestamp) throws(ChatError) -> ImportedMessage {
        var fields = content
        let roomID = fields.roomID(EventKey.roomID)
        let importID = fields.string("importId", length: importIDLength)
        let sender = fields.sender(EventKey.senderID)
        let type = fields.messageType(maySendSystem: sender == .id(.installation))
        let payload = fields.object(MessagePayload.field)
        let sentAt = fields.value(EventKey.sentAt) == nil ? nil : fields.optionalPastTime(EventKey.sentAt, now)
        let replyTo = fields.optionalString("replyToImportId", length: importIDLength)
        try fields.finish()
        guard let roomID, let importID, let sender, let type, let payload, let sentAt else { throw fields.incomplete }
        // A file is uploaded by its sender for a message; there is none of a former time.
        guard MessagePayload.fileID(payload, type: type) == nil else {
            throw .invalid("\(MessagePayload.field).\(EventKey.fileID)", "must be a URL in an imported message")
        }
        return ImportedMessage(
            roomID: roomID, importID: importID, sender: sender, type: type,
            contentJSON: try MessagePayload.canonicalText(payload, type: type), sentAt: sentAt,
            replyToImportID: replyTo)
    }
}

extension FieldReader {
    /// Reads a time since 1970 that has passed.
    fileprivate mutating func optionalPastTime(_ field: String, _ now: Timestamp) -> Timestamp? {
        guard let time = optionalTime(field) else { return nil }
        guard time >= Timestamp(microseconds: 0) else {
            note(field, "must not be before 1970")
            return nil
        }
        guard time <= now else {
            note(field, "must not be in the future")
            return nil
        }
        return time
    }

    /// Reads the sender of a message; 0 stands for the installation.
    fileprivate mutating func sender(_ field: String) -> UserReference? {
        if optionalValue(field) == .number("0") { return .id(.installation) }
        return user(field, external: true)
    }
}
