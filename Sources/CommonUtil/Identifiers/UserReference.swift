/// A user's id in the database of the program that the chat is part of: 1–128 Unicode scalars, compared byte by byte.
public struct ExternalID: Hashable, Sendable, CustomStringConvertible {
    /// Length in Unicode scalars.
    public static let length = 1...128

    /// The text of the id.
    public let rawValue: String

    /// Reads an id.
    /// - Returns: `nil` for an empty or too long text, and for one with U+0000, which PostgreSQL does not store.
    public init?(_ text: String) {
        guard Self.length.contains(text.unicodeScalars.count), !text.utf8.contains(0) else { return nil }
        rawValue = text
    }

    /// Creates an id from text that was checked before, for example from the database.
    public init(verified rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }

    public static func == (a: Self, b: Self) -> Bool { a.rawValue.hasSameBytes(as: b.rawValue) }
    public func hash(into hasher: inout Hasher) { for byte in rawValue.utf8 { hasher.combine(byte) } }
}

/// A user as keys name one: by id, or as `ext:` with the id in the key holder's own database.
public enum UserReference: Hashable, Sendable {
    case id(UserID)
    case external(ExternalID)

    /// The requirement on a reference, for error messages.
    public static let rule = "must be a user's id, or ext: and an external id"

    /// The id, where the user is named by it.
    public var userID: UserID? { if case .id(let userID) = self { userID } else { nil } }

    private static let prefix = "ext:"

    /// Reads a reference.
    /// - Parameter text: not percent-encoded.
    /// - Returns: `nil` if it is neither.
    public init?(_ text: String) {
        if text.hasPrefix(Self.prefix) {
            guard let id = ExternalID(String(text.dropFirst(Self.prefix.count))) else { return nil }
            self = .external(id)
        } else {
            guard let id = UserID(text: text) else { return nil }
            self = .id(id)
        }
    }
}
