import Configuration
import FoundationEssentials

/// The source of settings: flags, then the environment, then a file.
public struct ConfigurationSource: Sendable {
    private let reader: ConfigReader
    private let environment: [String: String]

    /// Reads the environment and, where `CHAT_CONFIG_FILE` names one, a file.
    /// - Parameters:
    ///   - arguments: the program and flags such as `--chat-port 8081`.
    ///   - environment: the environment variables.
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

    /// Returns the value of a setting, or its default.
    /// - Throws: ``ConfigurationError`` naming the variable, its wrong value and the allowed ones.
    public func value<Value>(_ setting: Setting<Value>) throws(ConfigurationError) -> Value {
        let text = Self.text(of: setting.name, from: reader) ?? setting.defaultText
        guard let value = setting.parse(text) else {
            throw ConfigurationError(
                name: setting.name, held: text, isSecret: setting.isSecret, allowed: setting.allowed)
        }
        return value
    }

    /// Checks every setting, including those that only one of the servers uses.
    /// - Throws: ``ConfigurationError`` for the first wrong value.
    public func checkAll() throws(ConfigurationError) {
        for setting in Settings.all { try setting.check(self) }
    }

    /// Reads the JSON file.
    /// - Throws: ``ConfigurationError`` if it cannot be read, has a key of no setting, which is most likely misspelt, or a
    ///   value that no setting can have.
    // Not `FileProvider<JSONSnapshot>`: nothing else in the servers needs all of Foundation, which with its ICU data makes an
    // executable 40 MB larger.
    private static func values(ofFile path: String) throws(ConfigurationError) -> [AbsoluteConfigKey: ConfigValue] {
        let file = Settings.configFile
        guard let bytes = try? Data(contentsOf: URL(filePath: path)),
            case .object(let members)? = try? JSONParser.parse(Array(bytes))
        else {
            throw ConfigurationError(name: file.name, held: path, isSecret: false, allowed: "a readable JSON file")
        }
        let known = Dictionary(Settings.all.map { ($0.fileKey, $0.name) }) { first, _ in first }
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, value) in members {
            guard key.text == "chat", case .object(let settings) = value else {
                throw ConfigurationError(unknownKey: key.text, in: path)
            }
            for (key, value) in settings {
                guard let name = known[key.text] else {
                    throw ConfigurationError(unknownKey: "chat.\(key.text)", in: path)
                }
                guard let value = configValue(value) else {
                    throw ConfigurationError(
                        "chat.\(key.text) in '\(path)' must be a text, a whole number, true or false")
                }
                values[AbsoluteConfigKey(components(of: name))] = value
            }
        }
        return values
    }

    /// - Returns: `nil` for a value that no setting can have. `null` is an empty text, which is an unset one.
    private static func configValue(_ value: JSONValue) -> ConfigValue? {
        switch value {
        case .null: ConfigValue(.string(""), isSecret: false)
        case .string(let text): ConfigValue(.string(text), isSecret: false)
        case .number(let text): WholeNumber.value(ofNumber: text).map { ConfigValue(.int(Int($0)), isSecret: false) }
        case .bool(let flag): ConfigValue(.int(flag ? 1 : 0), isSecret: false)
        case .array, .object: nil
        }
    }

    /// Whether a setting has a value other than its default.
    public func isSet<Value>(_ setting: Setting<Value>) -> Bool { Self.text(of: setting.name, from: reader) != nil }

    /// The variables `CHAT_…` that neither servers nor the terminal client use, most likely misspelt ones.
    public var unknownNames: [String] {
        environment.keys.filter {
            $0.hasPrefix("CHAT_") && !Settings.names.contains($0) && !TerminalVariable.names.contains($0)
        }
        .sorted()
    }

    /// Reads a value as text; `nil` if it is empty or unset. Files can have numbers where the environment has only text.
    private static func text(of name: String, from reader: ConfigReader) -> String? {
        let key = ConfigKey(components(of: name))
        let text = reader.string(forKey: key) ?? reader.int(forKey: key).map(String.init)
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// `CHAT_DATABASE_URL` → `chat`, `databaseUrl`, which the providers turn into `CHAT_DATABASE_URL` and `--chat-database-url`
    /// again. Behind a digit they see no new word: there a component begins, `chat`, `s3`, `accessKey`.
    private static func components(of name: String) -> [String] {
        name.lowercased().split(separator: "_").reduce(into: []) { components, word in
            if components.count < 2 || components[components.count - 1].last?.isNumber == true {
                components.append(String(word))
            } else {
                components[components.count - 1] += word.prefix(1).uppercased() + word.dropFirst()
            }
        }
    }
}
