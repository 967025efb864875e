/// The request that the arguments of a server make.
public enum CommandLineRequest: Equatable, Sendable {
    /// Run the server, with settings from flags.
    case run
    /// `--help`, `-h`.
    case help
    /// `--version`.
    case version

    /// Reads arguments.
    /// - Parameter arguments: those after the program's name.
    /// - Throws: ``UsageError`` for an argument that is not the flag of a setting.
    public init(arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--help" || argument == "-h" {
                self = .help
                return
            }
            if argument == "--version" {
                self = .version
                return
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let flag = parts.first, Settings.all.contains(where: { $0.flag == flag }) else {
                // The text behind `=` can be a secret.
                throw UsageError("unknown argument '\(parts.first ?? "")'; --help names all")
            }
            guard parts.count == 1 else { continue }
            guard let value = rest.popFirst(), !value.hasPrefix("--") else {
                throw UsageError("\(flag) needs a value")
            }
        }
        self = .run
    }

    /// Returns the text of `--help`: every setting with its default and its allowed values.
    public static func help(program: String, defaultPort: Int) -> String {
        var text = """
            Usage: \(program) [--chat-SETTING VALUE …]

            Settings come from flags, before environment variables, before the JSON file that CHAT_CONFIG_FILE names:
            --chat-port 8081, CHAT_PORT=8081 and {"chat": {"port": 8081}} say the same. SIGTERM stops the server.

            """
        let port = Settings.port(default: defaultPort)
        for setting in Settings.all {
            let value = setting.name == port.name ? port.defaultText : setting.defaultText
            text += "\n  \(setting.name)\(value.isEmpty ? "" : " [\(value)]")\n      \(setting.allowed)"
        }
        return text + "\n\n  --help, --version\n"
    }
}

/// An error in the arguments of a program. The process ends with exit code 64 (`EX_USAGE` of sysexits.h).
public struct UsageError: Error, CustomStringConvertible, Sendable {
    /// `EX_USAGE`.
    public static let exitCode: Int32 = 64

    /// One line for standard error.
    public let description: String

    init(_ description: String) { self.description = description }
}
