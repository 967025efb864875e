/// A setting without the type of its value: what help texts and checks need of all of them.
public struct AnySetting: Sendable {
    /// The environment variable's name, `CHAT_…`.
    public let name: String
    /// The text that stands for an absent variable; empty where nothing does.
    public let defaultText: String
    /// What is allowed, for people.
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

    /// The same setting on a command line: `--chat-database-url`.
    public var flag: String { "--" + name.lowercased().split(separator: "_").joined(separator: "-") }

    /// The same setting in a file, below `chat`: `databaseUrl`.
    var fileKey: String {
        name.lowercased().split(separator: "_").dropFirst().enumerated()
            .map { $0 == 0 ? String($1) : $1.prefix(1).uppercased() + $1.dropFirst() }.joined()
    }

    /// - Throws: ``ConfigurationError`` where the source holds a wrong value of this setting.
    func check(_ source: ConfigurationSource) throws(ConfigurationError) {
        if let error = check(source) { throw error }
    }
}
