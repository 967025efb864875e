import ChatEvents
import ChatStorage
import CommonUtil
import FoundationEssentials

/// The body of `POST /messages`: `{roomId, messageType, payload, replyToMessageId?, clientMessageId?}`, with a server's key
/// also `senderId?`.
enum PostRequest {
    /// Length of a `clientMessageId`, in Unicode scalars.
    static let clientMessageIDLength = 1...64

    /// Reads a user's post.
    /// - Throws: `validation_failed`, which names each invalid field.
    static func draft(_ fields: FieldReader, senderID: UserID) throws(ChatError) -> MessageDraft {
        try draft(fields, senderID: senderID, maySendSystem: false)
    }

    /// Reads the sender of a post with a server's key that acts for no user.
    /// - Returns: `nil` for the installation.
    /// - Throws: `validation_failed`.
    static func sender(_ fields: FieldReader) throws(ChatError) -> UserReference? {
        var fields = fields
        let sender = fields.optionalUser(EventKey.senderID, external: true)
        try fields.finish()
        return sender
    }

    /// Reads a post with a server's key. Only the installation posts `system` messages.
    /// - Throws: `validation_failed`, which names each invalid field.
    static func draft(_ fields: FieldReader, ofKeyFor senderID: UserID?) throws(ChatError) -> MessageDraft {
        try draft(fields, senderID: senderID ?? .installation, maySendSystem: senderID == nil)
    }

    private static func draft(
        _ fields: FieldReader, senderID: UserID, maySendSystem: Bool
    ) throws(ChatError) -> MessageDraft {
        var fields = fields
        let roomID = fields.roomID(EventKey.roomID)
        let type = fields.choice(EventKey.messageType, MessageType.self)
        let payload = fields.object(MessagePayload.field)
        let replyTo = fields.optionalNumericID(EventKey.replyToMessageID, MessageID.self)
        let clientMessageID = fields.optionalString(EventKey.clientMessageID, length: clientMessageIDLength)
        if type == .system, !maySendSystem {
            fields.note(EventKey.messageType, "system messages are the platform's own")
        }
        try fields.finish()
        guard let roomID, let type, let payload else { throw fields.incomplete }
        return MessageDraft(
            roomID: roomID, senderID: senderID, type: type,
            contentJSON: try MessagePayload.canonicalText(payload, type: type),
            fileID: type.mayNameFile ? MessagePayload.fileID(payload) : nil, replyToMessageID: replyTo,
            clientMessageID: clientMessageID)
    }
}

/// The payloads of the message types. Keys that are not named here are kept as they are.
enum MessagePayload {
    /// The payload's name in requests and error texts.
    static let field = "payload"
    /// Length of a text, in Unicode scalars.
    static let maximumTextLength = 8_000
    /// Size of the canonical text, in bytes.
    static let maximumSize = MessageDraft.maximumContentBytes
    /// Digits of one number. Numbers keep their text, and very long ones are slow to parse for some clients.
    static let maximumDigits = 64

    private static let maximumURLLength = 2_048
    private static let labelLength = 1...1_024

    /// Validates a payload.
    /// - Returns: its canonical JSON text.
    /// - Throws: `validation_failed`, which names each invalid field.
    static func canonicalText(
        _ members: JSONObject, type: MessageType
    ) throws(ChatError) -> String {
        var fields = FieldReader(members, path: field + ".")
        check(&fields, type)
        try fields.finish()
        let payload = JSONValue.object(members)
        guard payload.longestNumber <= maximumDigits else {
            throw .invalid(field, "must not hold a number of more than \(maximumDigits) digits")
        }
        let text = payload.canonicalText
        guard text.utf8.count <= maximumSize else { throw .invalid(field, "must not exceed \(maximumSize) bytes") }
        return text
    }

    /// The file that a valid payload names in place of a URL, in the types that may name one.
    static func fileID(_ members: JSONObject) -> FileID? {
        guard case .string(let text)? = members[JSONKey(ChatFile.payloadField)] else { return nil }
        return FileID(text)
    }

    private static func check(_ fields: inout FieldReader, _ type: MessageType) {
        if type.mayNameFile, let value = fields.optionalValue(ChatFile.payloadField) {
            return checkNamed(value, &fields, type)
        }
        switch type {
        case .text:
            _ = fields.string("text", length: 1...maximumTextLength)
        case .image:
            fields.url("imageUrl")
            fields.optionalURL("thumbnailUrl")
            fields.optionalCount("width")
            fields.optionalCount("height")
            fields.optionalLabel("caption", length: 0...maximumTextLength)
            checkFile(&fields)
        case .file:
            fields.url("fileUrl")
            _ = fields.string("fileName", length: labelLength)
            checkFile(&fields)
        case .video, .audio:
            fields.url("url")
            fields.optionalURL("thumbnailUrl")
            fields.optionalNumber("durationSeconds", in: 0...Double.greatestFiniteMagnitude)
            checkFile(&fields)
        case .location:
            fields.number("latitude", in: -90...90)
            fields.number("longitude", in: -180...180)
            fields.optionalLabel("label", length: labelLength)
        case .sticker:
            _ = fields.string("stickerId", length: labelLength)
        case .richContent, .system:
            break
        }
    }

    /// Checks a payload that names a file: the server fills in what it knows of it.
    private static func checkNamed(_ value: JSONValue, _ fields: inout FieldReader, _ type: MessageType) {
        let isID = if case .string(let text) = value { FileID(text) != nil } else { false }
        if !isID { fields.note(ChatFile.payloadField, "must be \(FileID.rule)") }
        for name in ["imageUrl", "fileUrl", "url"] where fields.optionalValue(name) != nil {
            fields.note(name, "must not be there beside \(ChatFile.payloadField)")
        }
        fields.optionalURL("thumbnailUrl")
        fields.optionalCount("width")
        fields.optionalCount("height")
        fields.optionalLabel("caption", length: 0...maximumTextLength)
        fields.optionalLabel("fileName", length: labelLength)
        fields.optionalNumber("durationSeconds", in: 0...Double.greatestFiniteMagnitude)
        checkFile(&fields)
    }

    private static func checkFile(_ fields: inout FieldReader) {
        fields.optionalLabel("mimeType", length: labelLength)
        fields.optionalCount("fileSize")
    }

    fileprivate static func isWebURL(_ text: String) -> Bool {
        guard text.unicodeScalars.count <= maximumURLLength, let url = URL(string: text),
            let scheme = url.scheme?.lowercased(), let host = url.host()
        else { return false }
        return (scheme == "http" || scheme == "https") && !host.isEmpty
    }
}

extension FieldReader {
    fileprivate mutating func url(_ field: String) {
        if let value = value(field) { checkURL(value, field) }
    }

    fileprivate mutating func optionalURL(_ field: String) {
        if let value = optionalValue(field) { checkURL(value, field) }
    }

    private mutating func checkURL(_ value: JSONValue, _ field: String) {
        guard case .string(let text) = value, MessagePayload.isWebURL(text) else {
            return note(field, "must be an http or https URL")
        }
    }

    fileprivate mutating func number(_ field: String, in range: ClosedRange<Double>) {
        if let value = value(field) { checkNumber(value, field, range) }
    }

    fileprivate mutating func optionalNumber(_ field: String, in range: ClosedRange<Double>) {
        if let value = optionalValue(field) { checkNumber(value, field, range) }
    }

    private mutating func checkNumber(_ value: JSONValue, _ field: String, _ range: ClosedRange<Double>) {
        guard case .number(let text) = value, let number = Double(text), range.contains(number) else {
            return note(field, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    fileprivate mutating func optionalCount(_ field: String) {
        if optionalValue(field) != nil { _ = integer(field, in: 0...Int64.max) }
    }

    fileprivate mutating func optionalLabel(_ field: String, length: ClosedRange<Int>) {
        _ = optionalString(field, length: length)
    }
}
