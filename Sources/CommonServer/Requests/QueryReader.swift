import CommonUtil
import Hummingbird

/// Reads a query string and collects what is wrong with it, as `FieldReader` does with a body:
///
///     var query = QueryReader(request)
///     let limit = query.optionalInteger("limit", in: 1...100) ?? 50
///     try query.finish()
///
/// A key that stands twice, bad percent-encoding, bad UTF-8 and U+0000 are faults; keys that nobody asks for are not.
public struct QueryReader {
    private var values: [String: String] = [:]
    public private(set) var errors: [FieldError] = []

    public init(_ request: Request) { self.init(query: request.uri.query) }

    /// Takes what follows the `?`, still encoded.
    public init(query: String?) {
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = parts.first.flatMap({ PercentEncoding.decode($0, plusIsSpace: true) }),
                !key.utf8.contains(0)
            else {
                note("query", "must be percent-encoded UTF-8 without U+0000")
                continue
            }
            guard let value = PercentEncoding.decode(parts.count == 2 ? parts[1] : "", plusIsSpace: true),
                !value.utf8.contains(0)
            else {
                note(key, "must be percent-encoded UTF-8 without U+0000")
                continue
            }
            if values.updateValue(value, forKey: key) != nil { note(key, "must not be given twice") }
        }
    }

    /// - Throws: `validation_failed` with every fault noted so far.
    public func finish() throws(ChatError) {
        guard errors.isEmpty else { throw ChatError(invalid: errors) }
    }

    public mutating func note(_ field: String, _ message: String) {
        guard errors.count <= ChatError.maximumFieldErrors else { return }
        errors.append(FieldError(field, message))
    }

    // MARK: Values; `nil` where absent or at fault

    /// A text whose length is counted in Unicode scalars.
    public mutating func optionalString(_ name: String, length: ClosedRange<Int>) -> String? {
        guard let value = values[name] else { return nil }
        guard length.contains(value.unicodeScalars.count) else {
            note(name, "must have \(length.lowerBound)–\(length.upperBound) characters")
            return nil
        }
        return value
    }

    /// Plain decimal digits, perhaps with a minus sign.
    public mutating func optionalInteger(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = values[name] else { return nil }
        guard !value.hasPrefix("+"), let number = Int64(value), range.contains(number) else {
            let bound = range.upperBound == .max ? "at least \(range.lowerBound)" : "of \(range)"
            note(name, "must be an integer \(bound)")
            return nil
        }
        return number
    }

    public mutating func optionalInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        optionalInteger(name, in: Int64(range.lowerBound)...Int64(range.upperBound)).map(Int.init)
    }

    public mutating func optionalRoomID(_ name: String) -> RoomID? {
        guard let value = values[name] else { return nil }
        guard let roomID = RoomID(value) else {
            note(name, "must be \(RoomID.rule)")
            return nil
        }
        return roomID
    }

    public mutating func optionalUserID(_ name: String) -> UserID? {
        guard let value = values[name] else { return nil }
        guard let userID = UserID(text: value) else {
            note(name, UserID.requirement)
            return nil
        }
        return userID
    }

    /// How many items of a list are asked for.
    public mutating func pageLimit() -> Int { optionalInteger("limit", in: 1...100) ?? 50 }

    /// A cursor of this list, whose sort key has `partCount` parts.
    public mutating func optionalCursor(of list: String, partCount: Int) -> Cursor? {
        guard let value = values["cursor"] else { return nil }
        do {
            return try Cursor(text: value, of: list, partCount: partCount)
        } catch {
            errors.append(contentsOf: error.fieldErrors)
            return nil
        }
    }

    /// Whether the key stands there, with whatever value.
    public func has(_ name: String) -> Bool { values[name] != nil }
}
