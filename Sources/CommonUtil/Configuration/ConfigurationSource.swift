import Configuration
import FoundationEssentials

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
            providers.append(InMemoryProvider(values: try Self.values(ofFile: path)))
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

    /// Reads the JSON file. Values other than texts, whole numbers and booleans are passed over.
    ///
    /// Not `FileProvider<JSONSnapshot>`: it is the only thing in the servers that needs all of Foundation, which with
    /// its ICU data makes an executable 40 MB larger.
    /// - Throws: ``ConfigurationError`` where it cannot be read or has a key of no setting, which is most likely
    ///   misspelt.
    private static func values(ofFile path: String) throws(ConfigurationError) -> [AbsoluteConfigKey: ConfigValue] {
        let file = Settings.configFile
        guard let bytes = try? Data(contentsOf: URL(filePath: path)),
            case .object(let members)? = try? JSONParser.parse(Array(bytes))
        else {
            throw ConfigurationError(name: file.name, held: path, isSecret: false, allowed: "a readable JSON file")
        }
        let known = Set(Settings.all.map(\.fileKey))
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, value) in members {
            guard key.text == "chat", case .object(let settings) = value else {
                throw ConfigurationError(unknownKey: key.text, in: path)
            }
            for (key, value) in settings {
                guard known.contains(key.text) else {
                    throw ConfigurationError(unknownKey: "chat.\(key.text)", in: path)
                }
                values[AbsoluteConfigKey(["chat", key.text])] = configValue(value)
            }
        }
        return values
    }

    private static func configValue(_ value: JSONValue) -> ConfigValue? {
        switch value {
        case .string(let text): ConfigValue(.string(text), isSecret: false)
        case .number(let text): WholeNumber.value(ofNumber: text).map { ConfigValue(.int(Int($0)), isSecret: false) }
        case .bool(let flag): ConfigValue(.int(flag ? 1 : 0), isSecret: false)
        case .null, .array, .object: nil
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
