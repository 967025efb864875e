import CommonUtil
import FoundationEssentials

/// The payloads of the message types, as every server validates them. Keys that are not named here are kept as they are.
public enum MessagePayload {
    /// The payload's name in requests and error texts.
    public static let field = "payload"
    /// Length of a text, in Unicode scalars.
    public static let maximumTextLength = 8_000
    /// Size of the canonical text, in bytes.
    public static let maximumSize = 65_536
    /// Digits of one number. Numbers keep their text, and very long ones are slow to parse for some clients.
    public static let maximumDigits = 64

    private static let maximumURLLength = 2_048
    private static let labelLength = 1...1_024

    /// Validates a payload.
    /// - Returns: its canonical JSON text.
    /// - Throws: `validation_failed`, which names each invalid field.
    public static func canonicalText(_ members: JSONObject, type: MessageType) throws(ChatError) -> String {
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
    public static func fileID(_ members: JSONObject, type: MessageType) -> FileID? {
        guard type.mayNameFile, case .string(let text)? = members[JSONKey(EventKey.fileID)] else { return nil }
        return FileID(text)
    }

    /// The same of a payload's text.
    public static func fileID(_ contentJSON: String, type: MessageType) -> FileID? {
        guard type.mayNameFile, case .object(let members)? = try? JSONParser.parse(Array(contentJSON.utf8)) else {
            return nil
        }
        return fileID(members, type: type)
    }

    private static func check(_ fields: inout FieldReader, _ type: MessageType) {
        if type.mayNameFile, let value = fields.optionalValue(EventKey.fileID) {
            return checkNamed(value, &fields)
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
    private static func checkNamed(_ value: JSONValue, _ fields: inout FieldReader) {
        let isID = if case .string(let text) = value { FileID(text) != nil } else { false }
        if !isID { fields.note(EventKey.fileID, "must be \(FileID.rule)") }
        for name in ["imageUrl", "fileUrl", "url"] where fields.optionalValue(name) != nil {
            fields.note(name, "must not be there beside \(EventKey.fileID)")
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
        guard text.unicodeScalars.count <= maximumURLLength, !text.unicodeScalars.contains(where: isBlankOrControl),
            let url = URL(string: text),
            let scheme = url.scheme?.lowercased(), let host = url.host()
        else { return false }
        return (scheme == "http" || scheme == "https") && !host.isEmpty
    }

    /// `URL` would encode these; a client may drop them, and so see another URL.
    private static func isBlankOrControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
    }
}

extension FieldReader {
    /// Reads the type of a message.
    /// - Parameter maySendSystem: whether the sender is the installation, whose alone `system` messages are.
    public mutating func messageType(maySendSystem: Bool) -> MessageType? {
        let type = choice(EventKey.messageType, MessageType.self)
        if type == .system, !maySendSystem { note(EventKey.messageType, "system messages are the platform's own") }
        return type
    }

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
