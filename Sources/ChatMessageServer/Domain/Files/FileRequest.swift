/// Which part of a file a request asks for (RFC 9110 sections 13 and 14). Pure.
enum FileSelection: Equatable {
    case whole
    /// 206.
    case part(Range<Int>)
    /// 304: the client has the file.
    case unchanged
    /// 416.
    case unsatisfiable

    /// The fields of a request that matter.
    struct Conditions: Equatable {
        var range: String?
        var ifRange: String?
        var ifNoneMatch: String?
    }

    /// - Parameters:
    ///   - size: of the file, in bytes.
    ///   - tag: the file's `ETag`, with its quotation marks. Files never change.
    init(_ conditions: Conditions, size: Int, tag: String) {
        if let tags = conditions.ifNoneMatch, Self.matches(tags, tag) {
            self = .unchanged
            return
        }
        // A time in `If-Range` is never ours: no response has `Last-Modified`.
        guard let range = conditions.range, conditions.ifRange.map({ $0 == tag }) ?? true else {
            self = .whole
            return
        }
        self = Self.selection(range, size: size)
    }

    /// `If-None-Match` compares weakly.
    private static func matches(_ tags: String, _ tag: String) -> Bool {
        tags.split(separator: ",").contains { entry in
            let entry = entry.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
            let text = String(entry)
            return text == "*" || text == tag || text == "W/" + tag
        }
    }

    /// One range is served; several and malformed ones count as none.
    private static func selection(_ range: String, size: Int) -> FileSelection {
        let parts = range.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].lowercased() == "bytes" else { return .whole }
        let ends = parts[1].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2 else { return .whole }
        switch (number(ends[0]), number(ends[1])) {
        case (.none, .value(let count)):
            return count == 0 || size == 0 ? .unsatisfiable : .part(max(0, size - count)..<size)
        case (.value(let first), .none):
            return first < size ? .part(first..<size) : .unsatisfiable
        case (.value(let first), .value(let last)):
            guard first <= last else { return .whole }
            return first < size ? .part(first..<min(last, size - 1) + 1) : .unsatisfiable
        default: return .whole
        }
    }

    private enum Number {
        case none, malformed
        case value(Int)
    }

    private static func number(_ text: Substring) -> Number {
        guard !text.isEmpty else { return .none }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return .malformed }
        // One that is too large for an integer is behind the end of any file.
        return .value(Int(text) ?? .max)
    }
}
