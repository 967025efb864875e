import CommonUtil

/// The form of user names, display names and passwords.
enum AccountRules {
    // Lengths in Unicode scalars.
    static let usernameLength = 3...32
    static let displayNameLength = 1...64
    static let passwordLength = 8...128

    /// Reads a username; upper case is folded.
    /// - Returns: `nil` if it is invalid, which is noted in `fields`.
    static func username(_ fields: inout FieldReader) -> String? {
        guard let text = fields.string("username", length: usernameLength) else { return nil }
        let name = folded(text)
        guard name.utf8.allSatisfy(isAllowed) else {
            fields.note("username", "must be of a–z 0–9 . _ -")
            return nil
        }
        return name
    }

    /// Reads a username where there is one.
    static func optionalUsername(_ fields: inout FieldReader) -> String? {
        fields.optionalValue("username") == nil ? nil : username(&fields)
    }

    /// The display name that a text of another program makes: without control characters, and cut to what is allowed.
    /// - Returns: `nil` if nothing is left of it.
    static func displayName(from text: String) -> String? { shown(text, maximumLength: displayNameLength.upperBound) }

    /// The display name of a user for whom no other is known.
    static func displayName(of externalID: ExternalID) -> String { displayName(from: externalID.rawValue) ?? "User" }

    /// A text of another program as it can be shown: without control characters, and cut.
    /// - Parameter maximumLength: in Unicode scalars.
    /// - Returns: `nil` if nothing is left of it.
    static func shown(_ text: String, maximumLength: Int) -> String? {
        let kept = text.unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(maximumLength)
        return kept.isEmpty ? nil : String(String.UnicodeScalarView(kept))
    }

    /// Folds upper case, of ASCII only: other characters are not allowed, and must not be folded into allowed ones.
    static func folded(_ username: String) -> String {
        String(decoding: username.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
