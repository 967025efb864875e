import CommonUtil
import Hummingbird

/// Reads the parameters of a query string and collects what is invalid, as `FieldReader` does with a body:
///
///     var query = QueryReader(request)
///     let limit = query.optionalInteger("limit", in: 1...100) ?? 50
///     try query.finish()
///
/// A repeated key, bad percent-encoding, bad UTF-8 and U+0000 are errors. Unknown keys are ignored.
public struct QueryReader {
    private var values: [String: String] = [:]
    /// The values of the keys that may be given several times, in their order.
    private var repeated: [String: [String]] = [:]
    /// The errors found so far.
    public private(set) var errors: [FieldError] = []

    /// Reads the query of a request.
    /// - Parameter repeatable: the keys that may be given several times, see ``strings(_:maximumCount:)``.
    public init(_ request: Request, repeatable: Set<String> = []) {
        self.init(query: request.uri.query, repeatable: repeatable)
    }

    /// Reads the text behind the `?`, percent-encoded.
    public init(query: String?, repeatable: Set<String> = []) {
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
            if repeatable.contains(key) {
                repeated[key, default: []].append(value)
                continue
            }
            if values.updateValue(value, forKey: key) != nil { note(key, "must not be given twice") }
        }
    }

    /// Ends the reading.
    /// - Throws: `validation_failed` (422) with every error noted so far.
    public func finish() throws(ChatError) {
        guard errors.isEmpty else { throw ChatError(invalid: errors) }
    }

    /// Adds an error. The number of errors is bounded, whatever a client sends.
    public mutating func note(_ field: String, _ message: String) {
        guard errors.count <= ChatError.maximumFieldErrors else { return }
        errors.append(FieldError(field, message))
    }

    // MARK: Values; `nil` if absent or invalid

    /// Reads a text whose length is counted in Unicode scalars.
    public mutating func optionalString(_ name: String, length: ClosedRange<Int>) -> String? {
        guard let value = values[name] else { return nil }
        guard length.contains(value.unicodeScalars.count) else {
            note(name, "must have \(length.lowerBound)–\(length.upperBound) characters")
            return nil
        }
        return value
    }

    /// Reads the values of a key that may be given several times.
    public mutating func strings(_ name: String, maximumCount: Int) -> [String] {
        let found = repeated[name] ?? []
        guard found.count <= maximumCount else {
            note(name, "must not be given more than \(maximumCount) times")
            return []
        }
        return found
    }

    /// Reads a decimal integer, optionally with a minus sign.
    public mutating func optionalInteger(_ name: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let value = values[name] else { return nil }
        guard !value.hasPrefix("+"), let number = Int64(value), range.contains(number) else {
            let bound = range.upperBound == .max ? "at least \(range.lowerBound)" : "of \(range)"
            note(name, "must be an integer \(bound)")
            return nil
        }
        return number
    }

    /// Reads a decimal integer, optionally with a minus sign.
    public mutating func optionalInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        optionalInteger(name, in: Int64(range.lowerBound)...Int64(range.upperBound)).map(Int.init)
    }

    /// Reads `limit`, the maximum number of items in a page of a list: 1–100, 50 by default.
    public mutating func pageLimit() -> Int { optionalInteger("limit", in: 1...100) ?? 50 }

    /// Reads `cursor`, the position in a list.
    /// - Parameters:
    ///   - list: the name of the list that has to have issued the cursor.
    ///   - partCount: the number of parts of the list's sort key.
    public mutating func optionalCursor(of list: String, partCount: Int) -> Cursor? {
        guard let value = values["cursor"] else { return nil }
        do {
            return try Cursor(text: value, of: list, partCount: partCount)
        } catch {
            errors.append(contentsOf: error.fieldErrors)
            return nil
        }
    }
}
