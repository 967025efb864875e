/// One configuration variable: its name, its default, what it may hold and how its text is read.
public struct Setting<Value: Sendable>: Sendable {
    /// The environment variable's name, `CHAT_…`. Flags and files use the same words (`--chat-port`, `chat.port`).
    public let name: String
    /// The text that stands for an absent variable.
    public let defaultText: String
    /// What is allowed, for the line that refuses a wrong value.
    public let allowed: String
    /// Whether the value must not be shown.
    public let isSecret: Bool
    let parse: @Sendable (String) -> Value?

    init(
        _ name: String, default defaultText: String, allowed: String, isSecret: Bool = false,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.name = name
        self.defaultText = defaultText
        self.allowed = allowed
        self.isSecret = isSecret
        self.parse = parse
    }
}

/// A variable holds what it must not. The process ends with exit code 78 (`EX_CONFIG` of sysexits.h).
public struct ConfigurationError: Error, CustomStringConvertible, Sendable {
    public static let exitCode: Int32 = 78

    public let description: String

    public init(_ description: String) { self.description = description }

    public init(name: String, held value: String, isSecret: Bool, allowed: String) {
        let shown = isSecret ? Self.masked(value) : value
        description = "\(name) is '\(Self.onOneLine(shown.prefix(200)))', allowed is: \(allowed)"
    }

    /// A key of the configuration file that no setting has.
    init(unknownKey key: String, in path: String) {
        let text = "\(Settings.configFile.name) is '\(path)', which has the unknown key '\(key.prefix(200))'"
        description = Self.onOneLine(text[...]) + "; known are those of --help, below 'chat'"
    }

    private static func onOneLine(_ text: Substring) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    /// What of a secret value may be shown: of a URL the scheme, the host and the path, else nothing. A query can hold
    /// a password too (`?password=…` of libpq). So can what stands in the place of host and port, where a password is
    /// not percent-encoded: only what looks like them is shown.
    static func masked(_ value: String) -> String {
        guard let scheme = value.firstRange(of: "://") else { return "***" }
        let rest = value[scheme.upperBound...]
        let shown = rest.prefix { $0 != "?" && $0 != "#" }
        let query = rest[shown.endIndex...]
        let userEnd = shown.lastIndex(of: "@")
        let address = userEnd.map { shown[$0...].dropFirst() } ?? shown
        guard !query.contains("@"), isAddress(address.prefix { $0 != "/" }) else {
            return value[..<scheme.upperBound] + "***"
        }
        return value[..<scheme.upperBound] + (userEnd.map { "***" + shown[$0...] } ?? String(shown))
            + (query.isEmpty ? "" : "?***")
    }

    /// A name or an address, or several with commas between, each with a port or without.
    private static func isAddress(_ authority: Substring) -> Bool {
        authority.split(separator: ",").allSatisfy { host in
            let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } : host.prefix { $0 != ":" }
            let rest = host[name.endIndex...].drop { $0 == "]" }
            return rest.isEmpty || (rest.first == ":" && rest.dropFirst().allSatisfy(\.isNumber))
        }
    }
}
