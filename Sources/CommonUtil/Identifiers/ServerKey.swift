/// The calls that a server's key may make. Each route names the one that it needs.
public enum KeyScope: String, CaseIterable, Sendable {
    /// Users and their sign-ins.
    case users
    /// Rooms and members.
    case rooms
    /// Messages, history and logs.
    case messages
    /// The feed of changes and webhooks.
    case changes
    /// Further keys.
    case keys

    /// Scopes as a text, of which one is enough.
    public static func list(_ scopes: [KeyScope]) -> String { scopes.map(\.rawValue).joined(separator: " or ") }
}

/// The name of a server's key, by which it is listed and revoked: 1–64 of `A–Z a–z 0–9 . _ -`.
public struct KeyName: Hashable, Sendable, CustomStringConvertible {
    /// The requirement on a name, for error messages.
    public static let rule = "1–64 of A–Z a–z 0–9 . _ -"

    /// The text of the name.
    public let rawValue: String

    /// Reads a name.
    /// - Returns: `nil` if the text does not meet ``rule``.
    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(NameAlphabet.contains) else { return nil }
        rawValue = text
    }

    /// Creates a name from text that was checked before, for example from the database.
    public init(verified rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }
}

/// A key of a server, without the secret: what it is called and what it may do.
public struct ServerKey: Hashable, Sendable {
    public let name: KeyName
    public let scopes: Set<KeyScope>
    public let createdAt: Timestamp
    /// `nil` for a key that does not expire.
    public let expiresAt: Timestamp?

    /// Describes a key.
    public init(name: KeyName, scopes: Set<KeyScope>, createdAt: Timestamp, expiresAt: Timestamp?) {
        self.name = name
        self.scopes = scopes
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    /// Whether the key has expired at a time.
    public func isExpired(at now: Timestamp) -> Bool { expiresAt.map { $0 <= now } ?? false }
}

extension ServerKey: JSONEncodable {
    /// Writes `{name, scopes, createdAt, expiresAt?}`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writeMembers(to: &$0) }
    }

    /// Writes the members of ``write(to:)``, for an object that has further ones.
    public func writeMembers(to writer: inout JSONWriter) {
        writer.member("name", name.rawValue)
        writer.key("scopes")
        writer.array(KeyScope.allCases.filter(scopes.contains)) { $0.string($1.rawValue) }
        writer.member("createdAt", createdAt)
        writer.member("expiresAt", ifPresent: expiresAt)
    }
}
