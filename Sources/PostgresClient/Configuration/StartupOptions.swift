/// The `options` of a connection: command-line switches for the server's session (PostgreSQL manual, `postgres(1)`).
enum StartupOptions {
    /// The settings that `-c name=value`, `-cname=value` and `--name=value` name, in lower case with underscores.
    static func names(in options: String) -> Set<String> {
        var names: Set<String> = []
        var isName = false
        for word in words(of: options) {
            if isName {
                names.insert(name(word))
            } else if word.hasPrefix("--") || word.hasPrefix("-c") {
                names.insert(name(word.dropFirst(2)))
            }
            isName = !isName && word == "-c"
        }
        names.remove("")
        return names
    }

    private static func name(_ assignment: some StringProtocol) -> String {
        assignment.prefix { $0 != "=" }.lowercased().replacing("-", with: "_")
    }

    /// Parted by white space that has no backslash before it.
    private static func words(of options: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isEscaped = false
        for character in options {
            if isEscaped {
                word.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character.isWhitespace {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}
