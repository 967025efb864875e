/// A configuration variable: its name, its default, its allowed values and its parser.
public struct Setting<Value: Sendable>: Sendable {
    /// The environment variable's name, `CHAT_…`. Flags and files use the same words (`--chat-port`, `chat.port`).
    public let name: String
    /// The text that is parsed where the variable is absent.
    public let defaultText: String
    /// A description of the allowed values, for error messages.
    public let allowed: String
    /// Whether the value must not be shown in error messages.
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

/// A wrong value of a setting. The process ends with exit code 78 (`EX_CONFIG` of sysexits.h).
public struct ConfigurationError: Error, CustomStringConvertible, Sendable {
    /// `EX_CONFIG`.
    public static let exitCode: Int32 = 78

    /// One line for standard error.
    public let description: String

    /// An error with a text of its own.
    public init(_ description: String) { self.description = description }

    /// The error for a wrong value.
    /// - Parameters:
    ///   - name: the variable.
    ///   - value: its value, shown masked where it is secret.
    ///   - isSecret: whether the value has to be masked.
    ///   - allowed: a description of the allowed values.
    public init(name: String, held value: String, isSecret: Bool, allowed: String) {
        let shown = isSecret ? Self.masked(value) : value
        description = "\(name) is '\(Self.onOneLine(shown.prefix(200)))', allowed is: \(allowed)"
    }

    /// The error for an unknown key in the configuration file.
    init(unknownKey key: String, in path: String) {
        let text = "\(Settings.configFile.name) is '\(path)', which has the unknown key '\(key.prefix(200))'"
        description = Self.onOneLine(text[...]) + "; known are those of --help, below 'chat'"
    }

    private static func onOneLine(_ text: Substring) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    /// Masks a secret value. Of a URL the scheme, the host and the path are shown, of any other text nothing.
    static func masked(_ value: String) -> String {
        // A query can have a password too (`?password=…` of libpq). So can the place of host and port, where a password is
        // not percent-encoded: it is shown only if it has the form of hosts and ports.
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

    /// Whether a text is a comma-separated list of names or addresses with optional ports.
    private static func isAddress(_ authority: Substring) -> Bool {
        authority.split(separator: ",").allSatisfy { host in
            let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } : host.prefix { $0 != ":" }
            let rest = host[name.endIndex...].drop { $0 == "]" }
            return rest.isEmpty || (rest.first == ":" && rest.dropFirst().allSatisfy(\.isNumber))
        }
    }
}

/// A type-erased setting, for help texts and checks of all settings.
public struct AnySetting: Sendable {
    /// The environment variable's name, `CHAT_…`.
    public let name: String
    /// The text that is parsed where the variable is absent; empty where there is no default.
    public let defaultText: String
    /// A description of the allowed values.
    public let allowed: String
    private let check: @Sendable (ConfigurationSource) -> ConfigurationError?

    init<Value>(_ setting: Setting<Value>) {
        name = setting.name
        defaultText = setting.defaultText
        allowed = setting.allowed
        check = { source in
            do throws(ConfigurationError) {
                _ = try source.value(setting)
                return nil
            } catch {
                return error
            }
        }
    }

    /// The flag of the setting: `--chat-database-url`.
    public var flag: String { "--" + name.lowercased().split(separator: "_").joined(separator: "-") }

    /// The key of the setting in a file, below `chat`: `databaseUrl`.
    var fileKey: String {
        name.lowercased().split(separator: "_").dropFirst().enumerated()
            .map { $0 == 0 ? String($1) : $1.prefix(1).uppercased() + $1.dropFirst() }.joined()
    }

    /// Checks the value of the setting in a source.
    /// - Throws: ``ConfigurationError`` for a wrong one.
    func check(_ source: ConfigurationSource) throws(ConfigurationError) {
        if let error = check(source) { throw error }
    }
}

/// The environment variables of the terminal client. They are no settings of servers, but may be set in the same shell.
public enum TerminalVariable {
    /// The address of the servers.
    public static let url = "CHAT_URL"
    /// A ready access token.
    public static let token = "CHAT_TOKEN"
    /// The folder of sign-in and store.
    public static let folder = "CHAT_CLIENT_DIR"

    static let names: Set<String> = [url, token, folder]
}
