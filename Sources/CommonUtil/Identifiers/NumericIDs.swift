/// An identifier that is a positive integer.
public protocol NumericID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The largest value an identifier of this kind can have.
    static var largest: Int64 { get }
    /// The integer.
    var rawValue: Int64 { get }
    /// Creates an identifier from a valid integer; it is not checked.
    init(_ rawValue: Int64)
}

extension NumericID {
    /// 2^53 − 1: JavaScript and many JSON parsers cannot represent greater integers exactly.
    public static var largest: Int64 { (1 << 53) - 1 }

    /// Reads the decimal form of headers, paths and token subjects.
    /// - Returns: `nil` unless `text` is an integer from 1 to `largest` without sign or leading zeros, so that an identifier
    ///   has one spelling only.
    public init?(text: String) {
        guard Self.isDecimal(text), let value = Int64(text), value <= Self.largest else { return nil }
        self.init(value)
    }

    /// The requirement on a field with such an identifier, for error messages.
    public static var requirement: String { "must be an integer from 1 to \(largest)" }

    /// Whether `text` is a positive integer that is larger than ``largest``.
    public static func isTooLarge(_ text: String) -> Bool { isDecimal(text) && Self(text: text) == nil }

    private static func isDecimal(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != UInt8(ascii: "0") else { return false }
        return text.utf8.allSatisfy(\.isASCIIDigit)
    }

    public var description: String { String(rawValue) }
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// The id of a user, assigned by the system server or, in `trusted` mode, by the caller.
public struct UserID: NumericID {
    /// The sender and the actor of what a server's key does for no user. It is nobody's id, and no text is read as it.
    public static let installation = UserID(0)

    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// Whether this stands for the installation and not for a user.
    public var isInstallation: Bool { rawValue == 0 }
}

/// The id of a message, unique in the whole system. Assigned by PostgreSQL, ascending with gaps.
public struct MessageID: NumericID {
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }
}

/// The id of a sign-in, which begins with a login, is continued by refreshes, and ends as a whole. The claim `sid` of
/// access tokens.
public struct SignInID: NumericID {
    public static let largest = Int64.max
    public let rawValue: Int64
    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    /// Creates an id of 63 random bits. Clients see it as a string only.
    ///
    /// A counter in the database would assign ids twice after a restored backup or a failover that lost commits, and the end
    /// of one sign-in would then end another.
    public static func random() -> SignInID { SignInID(.random(in: 1...Int64.max)) }
}

/// The sequence number of an event in a room's log: 1, 2, 3 … without gaps. 0 is the position before the first event.
public typealias Seq = Int64

/// The end of sign-ins before their access tokens expire. The tokens are refused from now on, and their sockets are
/// closed.
public struct Revocation: Hashable, Sendable {
    /// The tokens that are revoked.
    public enum Scope: Hashable, Sendable {
        /// All access tokens of one sign-in, including one that is being signed at the moment.
        case signIn(SignInID)
        /// The user's access tokens without a sign-in, issued by older servers up to this time.
        case unnamed(issuedUpTo: Timestamp)
    }

    /// The user whose tokens are revoked.
    public let userID: UserID
    /// The tokens that are revoked.
    public let scope: Scope
    /// The time at which the last of these tokens has expired, and the revocation is not needed any more.
    public let expiresAt: Timestamp

    /// Creates a revocation.
    public init(userID: UserID, scope: Scope, expiresAt: Timestamp) {
        self.userID = userID
        self.scope = scope
        self.expiresAt = expiresAt
    }

    /// Whether a session of the user has to end.
    /// - Parameter signInID: the sign-in of the session; `nil` if it has a token without `sid`, or no token.
    public func ends(sessionOf signInID: SignInID?) -> Bool {
        switch scope {
        case .signIn(let ended): signInID == ended
        case .unnamed: signInID == nil
        }
    }
}
