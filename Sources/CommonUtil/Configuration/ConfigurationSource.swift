import Configuration
import FoundationEssentials
import SystemPackage

/// Where settings come from: flags before the environment before a file.
public struct ConfigurationSource: Sendable {
    private let reader: ConfigReader
    private let environment: [String: String]

    /// The arguments are flags such as `--chat-port 8081`; the first element is the program.
    /// - Throws: ``ConfigurationError`` where `CHAT_CONFIG_FILE` cannot be read.
    public init(
        arguments: [String] = CommandLine.arguments, environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws {
        self.environment = environment
        var providers: [any ConfigProvider] = [
            CommandLineArgumentsProvider(arguments: arguments),
            EnvironmentVariablesProvider(environmentVariables: environment.filter { !$0.value.isEmpty }),
        ]
        let file = Settings.configFile
        if let path = Self.text(of: file.name, from: ConfigReader(providers: providers)) {
            try Self.checkKeys(ofFile: path)
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(path)))
            } catch {
                throw ConfigurationError(name: file.name, held: path, isSecret: false, allowed: "a readable JSON file")
            }
        }
        reader = ConfigReader(providers: providers)
    }

    /// - Throws: ``ConfigurationError`` naming the variable, what it held and what is allowed.
    public func value<Value>(_ setting: Setting<Value>) throws(ConfigurationError) -> Value {
        let text = Self.text(of: setting.name, from: reader) ?? setting.defaultText
        guard let value = setting.parse(text) else {
            throw ConfigurationError(
                name: setting.name, held: text, isSecret: setting.isSecret, allowed: setting.allowed)
        }
        return value
    }

    /// Checks every setting, also those that one server alone uses.
    /// - Throws: ``ConfigurationError`` for the first wrong value.
    public func checkAll() throws(ConfigurationError) {
        for setting in Settings.all { try setting.check(self) }
    }

    /// A key that no setting has is most likely misspelt, and would be passed over in silence.
    private static func checkKeys(ofFile path: String) throws(ConfigurationError) {
        let file = Settings.configFile
        guard let bytes = try? Data(contentsOf: URL(filePath: path)),
            case .object(let members)? = try? JSONParser.parse(Array(bytes))
        else {
            throw ConfigurationError(name: file.name, held: path, isSecret: false, allowed: "a readable JSON file")
        }
        let known = Set(Settings.all.map(\.fileKey))
        for (key, value) in members {
            guard key.text == "chat", case .object(let settings) = value else {
                throw ConfigurationError(unknownKey: key.text, in: path)
            }
            for (key, _) in settings where !known.contains(key.text) {
                throw ConfigurationError(unknownKey: "chat.\(key.text)", in: path)
            }
        }
    }

    /// Variables that look like ours and are none: most likely misspelt.
    public var unknownNames: [String] {
        environment.keys.filter { $0.hasPrefix("CHAT_") && !Settings.names.contains($0) }.sorted()
    }

    /// An empty value is an unset one. Files may hold numbers where the environment has only text.
    private static func text(of name: String, from reader: ConfigReader) -> String? {
        let key = ConfigKey(name.lowercased().split(separator: "_", maxSplits: 1).map { camelCased($0) })
        let text = reader.string(forKey: key) ?? reader.int(forKey: key).map(String.init)
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `database_url` → `databaseUrl`, which the providers turn into `DATABASE_URL` and `--…-database-url` again.
    private static func camelCased(_ words: some StringProtocol) -> String {
        words.split(separator: "_").enumerated()
            .map { $0 == 0 ? String($1) : $1.prefix(1).uppercased() + $1.dropFirst() }.joined()
    }
}
