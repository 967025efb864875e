/// Reads the members of a JSON object and collects the errors, so that one response names every invalid field.
///
/// A getter that finds an error notes it and returns `nil`; ``finish()`` throws the noted errors:
///
///     var fields = try FieldReader(body: bytes)
///     let name = fields.string("name", length: 1...64)
///     let type = fields.choice("type", RoomType.self)
///     try fields.finish()
///     guard let name, let type else { throw fields.incomplete }
public struct FieldReader {
    private let members: JSONObject
    private let path: String
    /// The errors found so far.
    public private(set) var errors: [FieldError] = []

    /// Reads members of an object.
    /// - Parameter path: the prefix of field names in errors, for a nested object.
    public init(_ members: JSONObject, path: String = "") {
        self.members = members
        self.path = path
    }

    /// Parses a JSON text.
    /// - Parameter subject: what the text is, for error messages.
    /// - Throws: `malformed_json` (400) for a body that is not a JSON object; `validation_failed` (422) for text that is not
    ///   Unicode, or nested too deep. U+0000 is noted as an error.
    public init(body: [UInt8], subject: String = "body") throws(ChatError) {
        let value: JSONValue
        do {
            value = try JSONParser.parse(body)
        } catch {
            switch error {
            case .malformed(let offset): throw ChatError(.malformedJSON, "The \(subject) is not JSON at byte \(offset)")
            case .notUnicode: throw .invalid(subject, "must be valid UTF-8 with whole surrogate pairs")
            case .tooDeep: throw .invalid(subject, "nests deeper than \(JSONParser.maximumDepth) levels")
            }
        }
        guard case .object(let members) = value else {
            throw ChatError(.malformedJSON, "The \(subject) must be an object")
        }
        self.init(members)
        for (key, value) in members where value.containsNUL || key.text.containsNUL {
            note(key.text.containsNUL ? subject : key.text, "must not contain U+0000")
        }
    }

    /// Whether the object has no members.
    public var isEmpty: Bool { members.isEmpty }

    /// Ends the reading.
    /// - Throws: `validation_failed` (422) with every error noted so far.
    public func finish() throws(ChatError) {
        guard errors.isEmpty else { throw ChatError(invalid: errors) }
    }

    /// The error for `guard` statements behind ``finish()``, which no request reaches.
    public var incomplete: ChatError { ChatError(invalid: errors) }

    /// Adds an error. The number of errors is bounded, whatever a client sends.
    public mutating func note(_ field: String, _ message: String) {
        // One more than a response names, so that it can say that there are more.
        guard errors.count <= ChatError.maximumFieldErrors else { return }
        errors.append(FieldError(path + field, message))
    }

    // MARK: Required members

    /// Reads any value.
    public mutating func value(_ field: String) -> JSONValue? {
        guard let value = optionalValue(field) else {
            note(field, "is required")
            return nil
        }
        return value
    }

    /// Reads a text whose length is counted in Unicode scalars.
    public mutating func string(_ field: String, length: ClosedRange<Int>) -> String? {
        value(field).flatMap { string($0, field, length: length) }
    }

    /// Reads a case of an enumeration by its raw value.
    public mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ field: String, _: Choice.Type
    ) -> Choice? {
        value(field).flatMap { choice($0, field) }
    }

    /// Reads an array with at least one of an enumeration's raw values.
    public mutating func choices<Choice: RawRepresentable<String> & CaseIterable>(
        _ field: String, _: Choice.Type
    ) -> [Choice]? {
        guard let value = value(field) else { return nil }
        guard case .array(let elements) = value, (1...100).contains(elements.count) else {
            note(field, "must be an array of 1–100 of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
            return nil
        }
        return elements.enumerated().compactMap { index, element in choice(element, "\(field)[\(index)]") }
    }

    /// Reads `true` or `false`.
    public mutating func bool(_ field: String) -> Bool? {
        guard let value = value(field) else { return nil }
        guard case .bool(let flag) = value else {
            note(field, "must be true or false")
            return nil
        }
        return flag
    }

    /// Reads an object.
    public mutating func object(_ field: String) -> JSONObject? {
        guard let value = value(field) else { return nil }
        guard case .object(let members) = value else {
            note(field, "must be an object")
            return nil
        }
        return members
    }

    /// Reads an identifier.
    public mutating func numericID<ID: NumericID>(_ field: String, _: ID.Type = ID.self) -> ID? {
        value(field).flatMap { numericID($0, field) }
    }

    /// Reads an integer.
    public mutating func integer(_ field: String, in range: ClosedRange<Int64>) -> Int64? {
        value(field).flatMap { integer($0, field, in: range) }
    }

    /// Reads the id of a room.
    public mutating func roomID(_ field: String) -> RoomID? {
        value(field).flatMap { roomID($0, field) }
    }

    // MARK: Optional members; `null` counts as absent

    /// Whether a member is `null`, where that is not the same as being absent.
    public func isNull(_ field: String) -> Bool {
        if case .null? = members[JSONKey(field)] { true } else { false }
    }

    /// Reads any value.
    public func optionalValue(_ field: String) -> JSONValue? {
        guard let value = members[JSONKey(field)] else { return nil }
        if case .null = value { return nil }
        return value
    }

    /// Reads a text whose length is counted in Unicode scalars.
    public mutating func optionalString(_ field: String, length: ClosedRange<Int>) -> String? {
        optionalValue(field).flatMap { string($0, field, length: length) }
    }

    /// Reads a case of an enumeration by its raw value.
    public mutating func optionalChoice<Choice: RawRepresentable<String> & CaseIterable>(
        _ field: String, _: Choice.Type
    ) -> Choice? {
        optionalValue(field).flatMap { choice($0, field) }
    }

    /// Reads an identifier.
    public mutating func optionalNumericID<ID: NumericID>(_ field: String, _: ID.Type = ID.self) -> ID? {
        optionalValue(field).flatMap { numericID($0, field) }
    }

    /// Reads a user: an id or, for callers with a server's key, a string `ext:` and an external id.
    /// - Parameter external: whether the caller may name an external id.
    public mutating func user(_ field: String, external: Bool) -> UserReference? {
        value(field).flatMap { user($0, field, external) }
    }

    /// Reads a user, as ``user(_:external:)``.
    public mutating func optionalUser(_ field: String, external: Bool) -> UserReference? {
        optionalValue(field).flatMap { user($0, field, external) }
    }

    /// Reads an integer.
    public mutating func optionalInteger(_ field: String, in range: ClosedRange<Int64>) -> Int64? {
        optionalValue(field).flatMap { integer($0, field, in: range) }
    }

    /// Reads the id of a room.
    public mutating func optionalRoomID(_ field: String) -> RoomID? {
        optionalValue(field).flatMap { roomID($0, field) }
    }

    /// Reads `true` or `false`.
    public mutating func optionalBool(_ field: String) -> Bool? {
        optionalValue(field) == nil ? nil : bool(field)
    }

    /// Reads a time: RFC 3339 in UTC, with or without a fraction of the second.
    public mutating func optionalTime(_ field: String) -> Timestamp? {
        guard let value = optionalValue(field) else { return nil }
        guard case .string(let text) = value, let time = Timestamp(rfc3339: text) else {
            note(field, "must be a time in UTC such as 2026-11-22T16:56:46.123Z")
            return nil
        }
        return time
    }

    /// Reads an array of users, as ``user(_:external:)``.
    /// - Returns: an empty array where the member is absent.
    public mutating func users(_ field: String, maximumCount: Int, external: Bool) -> [UserReference] {
        guard let value = optionalValue(field) else { return [] }
        guard case .array(let elements) = value, elements.count <= maximumCount else {
            note(field, "must be an array of at most \(maximumCount) user ids")
            return []
        }
        return elements.enumerated().compactMap { index, element in
            user(element, "\(field)[\(index)]", external)
        }
    }

    /// Reads an array of objects.
    /// - Parameter element: reads an object; its errors are noted with the place in the array.
    /// - Returns: `nil` if the member is absent; otherwise what `element` returned, but for `nil`.
    public mutating func optionalObjects<Element>(
        _ field: String, _ element: (inout FieldReader) -> Element?
    ) -> [Element]? {
        guard let value = optionalValue(field) else { return nil }
        guard case .array(let values) = value else {
            note(field, "must be an array")
            return []
        }
        return values.enumerated().compactMap { index, value in
            guard case .object(let members) = value else {
                note("\(field)[\(index)]", "must be an object")
                return nil
            }
            var reader = FieldReader(members, path: "\(path)\(field)[\(index)].")
            defer { for error in reader.errors { note(error) } }
            return element(&reader)
        }
    }

    private mutating func note(_ error: FieldError) {
        if errors.count <= ChatError.maximumFieldErrors { errors.append(error) }
    }

    // MARK: Checks

    private mutating func numericID<ID: NumericID>(
        _ value: JSONValue, _ field: String, _: ID.Type = ID.self
    ) -> ID? {
        integer(value, field, in: 1...ID.largest).map(ID.init(_:))
    }

    private mutating func user(_ value: JSONValue, _ field: String, _ external: Bool) -> UserReference? {
        guard external, case .string(let text) = value else {
            return numericID(value, field, UserID.self).map { .id($0) }
        }
        // An id is a number: with quotes it is a mistake.
        guard let user = UserReference(text), case .external = user else {
            note(field, UserReference.rule)
            return nil
        }
        return user
    }

    private mutating func string(_ value: JSONValue, _ field: String, length: ClosedRange<Int>) -> String? {
        guard case .string(let text) = value else {
            note(field, "must be a string")
            return nil
        }
        guard text.hasScalars(length) else {
            note(field, "must have \(length.lowerBound)–\(length.upperBound) characters")
            return nil
        }
        return text
    }

    private mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: JSONValue, _ field: String
    ) -> Choice? {
        if case .string(let text) = value, let choice = Choice(rawValue: text) { return choice }
        note(field, "must be one of " + Choice.allCases.map(\.rawValue).joined(separator: ", "))
        return nil
    }

    private mutating func integer(_ value: JSONValue, _ field: String, in range: ClosedRange<Int64>) -> Int64? {
        if case .number(let text) = value, let number = WholeNumber.value(ofNumber: text), range.contains(number) {
            return number
        }
        let bound = range.upperBound == .max ? "a positive 64-bit integer" : "an integer of \(range)"
        note(field, "must be \(range.lowerBound == 0 ? "an integer not below 0" : bound)")
        return nil
    }

    private mutating func roomID(_ value: JSONValue, _ field: String) -> RoomID? {
        if case .string(let text) = value, let roomID = RoomID(text) { return roomID }
        note(field, "must be \(RoomID.rule)")
        return nil
    }
}

extension String {
    /// Whether the number of Unicode scalars is in a range. A scalar has one to four bytes, so mostly none has to be counted.
    fileprivate func hasScalars(_ count: ClosedRange<Int>) -> Bool {
        let bytes = utf8.count
        if bytes <= count.upperBound, (bytes + 3) / 4 >= count.lowerBound { return true }
        return count.contains(unicodeScalars.count)
    }
}
