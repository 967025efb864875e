import CommonUtil

/// The message that a server publishes on Redis when sign-ins end:
/// `{"revocations": [{"userId", "sid" | "issuedUpTo", "expiresAt"}]}`.
///
/// A hint: a server that misses it reads the same from PostgreSQL.
public struct RevocationMessage: Equatable, Sendable {
    /// Its channel on Redis, which the patterns of ``EventChannel`` do not match.
    public static let channel = "chat:revocations"
    /// The number of revocations in one message, at most; about 40 KB.
    public static let maximumCount = 500

    private enum Key {
        static let revocations = "revocations"
        static let signInID = "sid"
        static let issuedUpTo = "issuedUpTo"
    }

    /// The announced revocations.
    public let revocations: [Revocation]

    /// - Parameter revocations: at most ``maximumCount``.
    public init(_ revocations: [Revocation]) { self.revocations = revocations }

    /// Reads a message.
    /// - Returns: `nil` if it is not of the form that ``write(to:)`` writes.
    public init?(json: [UInt8]) {
        guard case .object(let members)? = try? JSONParser.parse(json, uniqueKeys: true),
            case .array(let elements)? = members[JSONKey(Key.revocations)], elements.count <= Self.maximumCount
        else { return nil }
        var revocations: [Revocation] = []
        for element in elements {
            guard let revocation = Self.revocation(element) else { return nil }
            revocations.append(revocation)
        }
        self.revocations = revocations
    }

    private static func revocation(_ json: JSONValue) -> Revocation? {
        guard case .object(let members) = json, case .number(let user)? = members[JSONKey(EventKey.userID)],
            let userID = UserID(text: user), let expiresAt = time(members[JSONKey(EventKey.expiresAt)])
        else { return nil }
        if case .string(let text)? = members[JSONKey(Key.signInID)] {
            return SignInID(text: text).map { Revocation(userID: userID, scope: .signIn($0), expiresAt: expiresAt) }
        }
        return time(members[JSONKey(Key.issuedUpTo)]).map {
            Revocation(userID: userID, scope: .unnamed(issuedUpTo: $0), expiresAt: expiresAt)
        }
    }

    private static func time(_ json: JSONValue?) -> Timestamp? {
        guard case .string(let text)? = json else { return nil }
        return Timestamp(text: text)
    }
}

extension RevocationMessage: JSONEncodable {
    /// Writes the message.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key(Key.revocations)
            writer.array(revocations) { writer, revocation in
                writer.object { writer in
                    writer.member(EventKey.userID, revocation.userID.rawValue)
                    switch revocation.scope {
                    case .signIn(let signInID): writer.member(Key.signInID, signInID.description)
                    case .unnamed(let issuedUpTo): writer.member(Key.issuedUpTo, issuedUpTo)
                    }
                    writer.member(EventKey.expiresAt, revocation.expiresAt)
                }
            }
        }
    }
}
