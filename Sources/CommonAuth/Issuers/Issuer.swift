import CommonUtil
import FoundationEssentials

/// A program whose tokens can be exchanged for sign-ins: one entry of `CHAT_ISSUERS_FILE`.
public struct Issuer: Hashable, Sendable {
    /// A signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
    public enum Algorithm: String, CaseIterable, Sendable {
        case rs256 = "RS256"
        case es256 = "ES256"
        case eddsa = "EdDSA"
    }

    /// The `iss` of its tokens.
    public let issuer: String
    /// A token is for us if its `aud` has one of these.
    public let audiences: Set<String>
    /// Where its keys are; `nil` if OpenID discovery says so.
    public let jwksURL: String?
    public let algorithms: Set<Algorithm>
    /// The claim that names the user.
    public let userClaim: String
    /// The claim with the user's display name.
    public let nameClaim: String
    /// What stands before the user claim in external ids.
    public let prefix: String
    /// Whether sign-ins can be refreshed.
    public let allowsRefresh: Bool
}

/// A list of issuers, as a file has it.
public struct IssuerList: Equatable, Sendable {
    /// Why a file is no list of issuers, for the operator.
    public struct Invalid: Error, CustomStringConvertible, Equatable {
        public let description: String
    }

    /// Maximum number of issuers: each is asked for its keys every ten minutes.
    static let maximumCount = 100

    /// The issuers, each `iss` once.
    public let issuers: [Issuer]

    /// Reads a file's content: a JSON list of
    /// `{issuer, audience, jwksURL?, algorithms?, userClaim?, nameClaim?, prefix?, refresh?}`.
    public init(json: [UInt8]) throws(Invalid) {
        guard case .array(let elements)? = try? JSONParser.parse(json, uniqueKeys: true) else {
            throw Invalid(description: "it is not a JSON list")
        }
        guard elements.count <= Self.maximumCount else {
            throw Invalid(description: "it has more than \(Self.maximumCount) issuers")
        }
        var issuers: [Issuer] = []
        for (index, element) in elements.enumerated() {
            guard case .object(let members) = element else {
                throw Invalid(description: "entry \(index + 1) is not an object")
            }
            do {
                issuers.append(try Self.issuer(members))
            } catch {
                throw Invalid(description: "entry \(index + 1): \(error.detail)")
            }
        }
        try Self.check(issuers)
        self.issuers = issuers
    }

    private static let members: Set<String> = [
        "issuer", "audience", "jwksURL", "algorithms", "userClaim", "nameClaim", "prefix", "refresh",
    ]

    private static func issuer(_ members: JSONObject) throws(ChatError) -> Issuer {
        var fields = FieldReader(members)
        for (key, _) in members where !Self.members.contains(key.text) { fields.note(key.text, "is not known") }
        let issuer = fields.string("issuer", length: 1...2_048)
        let audiences: [String]
        if case .string(let audience)? = fields.optionalValue("audience") {
            audiences = [audience]
        } else {
            audiences = fields.strings("audience")
        }
        let jwksURL = fields.optionalString("jwksURL", length: 1...2_048)
        let algorithms =
            fields.optionalValue("algorithms") == nil
            ? Issuer.Algorithm.allCases : fields.choices("algorithms", Issuer.Algorithm.self) ?? []
        let userClaim = fields.optionalString("userClaim", length: 1...128) ?? "sub"
        let nameClaim = fields.optionalString("nameClaim", length: 1...128) ?? "name"
        let prefix = fields.optionalString("prefix", length: 0...64) ?? ""
        let allowsRefresh = fields.optionalBool("refresh") ?? true
        if audiences.isEmpty || audiences.contains("") { fields.note("audience", "must be a text or a list of texts") }
        if let jwksURL, !KeyURL.isAllowed(jwksURL) { fields.note("jwksURL", KeyURL.rule) }
        if let issuer, jwksURL == nil, !KeyURL.isAllowed(issuer) {
            fields.note("issuer", "\(KeyURL.rule) where jwksURL is absent")
        }
        try fields.finish()
        guard let issuer else { throw fields.incomplete }
        return Issuer(
            issuer: issuer, audiences: Set(audiences), jwksURL: jwksURL, algorithms: Set(algorithms),
            userClaim: userClaim, nameClaim: nameClaim, prefix: prefix, allowsRefresh: allowsRefresh)
    }

    /// Checks that no user of one issuer can be taken for one of another.
    private static func check(_ issuers: [Issuer]) throws(Invalid) {
        guard Set(issuers.map(\.issuer)).count == issuers.count else {
            throw Invalid(description: "an issuer is there twice")
        }
        guard issuers.count > 1 else { return }
        for (index, one) in issuers.enumerated() {
            guard !one.prefix.isEmpty else {
                throw Invalid(description: "entry \(index + 1): with several issuers each needs a prefix")
            }
            for other in issuers where other != one && other.prefix.utf8.starts(with: one.prefix.utf8) {
                throw Invalid(description: "the prefix '\(one.prefix)' is the beginning of '\(other.prefix)'")
            }
        }
    }
}

/// The URLs that keys are fetched from.
enum KeyURL {
    static let rule = "must be an https URL, or an http URL of this machine"

    /// Whether a URL is https, or http to a loopback address, without user info.
    static func isAllowed(_ text: String) -> Bool {
        guard let url = URL(string: text), let host = url.host(percentEncoded: false), !host.isEmpty,
            url.user() == nil, url.password() == nil
        else { return false }
        switch url.scheme?.lowercased() {
        case "https": return true
        case "http": return isLoopback(host.lowercased())
        default: return false
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

extension FieldReader {
    /// Reads a list of texts.
    fileprivate mutating func strings(_ field: String) -> [String] {
        guard case .array(let elements)? = value(field) else { return [] }
        return elements.compactMap { if case .string(let text) = $0 { text } else { "" } }
    }
}
